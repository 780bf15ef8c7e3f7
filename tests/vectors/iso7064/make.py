"""Write mod_37_36.tsv with python-stdnum 2.2, an implementation that shares nothing with ours.

pip install python-stdnum==2.2, then: python make.py > mod_37_36.tsv
"""

import random

from stdnum.iso7064 import mod_37_36  # type: ignore[import-not-found] # needed only to make the vectors again

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"

if __name__ == "__main__":
    choose = random.Random(7064)
    print("# body\tcheck character")
    for length in range(1, 25):
        for _ in range(10):
            body = "".join(choose.choices(ALPHABET, k=length))
            print(f"{body}\t{mod_37_36.calc_check_digit(body)}")
