"""Checks signature values, also under keys that a whole national card generation encoded wrongly."""

from asn1crypto import algos, core, keys, x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from pyhanko_certvalidator.sig_validate import (
    DEFAULT_VALIDATION_CONTEXT,
    DefaultSignatureValidator,
    SignatureValidationContext,
)

_MAX_RSA_BITS = 16_384  # checking a signature costs the square of it


class TolerantSignatureValidator(DefaultSignatureValidator):
    """The library's validator, but for the sign of an RSA modulus; anything it cannot do is an invalid signature."""

    def validate_signature(
        self,
        signature: bytes,
        signed_data: bytes,
        public_key_info: keys.PublicKeyInfo,
        signature_algorithm: algos.SignedDigestAlgorithm,
        context: SignatureValidationContext = DEFAULT_VALIDATION_CONTEXT,
    ) -> None:
        """Return if the signature is right. InvalidSignature: it is not, or cannot be checked."""
        try:
            super().validate_signature(
                signature, signed_data, with_positive_modulus(public_key_info), signature_algorithm, context
            )
        except InvalidSignature:
            raise
        except (ValueError, TypeError, AssertionError, KeyError, UnsupportedAlgorithm, NotImplementedError) as error:
            raise InvalidSignature("the key or the algorithm cannot be used") from error


def with_positive_modulus(key: keys.PublicKeyInfo) -> keys.PublicKeyInfo:
    """Return the key with an RSA modulus that was encoded without its leading zero byte read as it was meant.

    ValueError: the key is beyond any size in use.
    """
    if key.algorithm != "rsa":
        return key
    parsed = key["public_key"].parsed
    modulus = parsed["modulus"].native
    if modulus.bit_length() > _MAX_RSA_BITS or parsed["public_exponent"].native.bit_length() > 64:
        raise ValueError("an RSA key beyond any size in use")
    if modulus >= 0:
        return key
    length = len(parsed["modulus"].contents)
    meant = keys.RSAPublicKey(
        {"modulus": modulus + (1 << 8 * length), "public_exponent": parsed["public_exponent"].native}
    )
    return keys.PublicKeyInfo(
        {
            "algorithm": {"algorithm": "rsa", "parameters": core.Null()},
            "public_key": core.ParsableOctetBitString(meant.dump()),
        }
    )


def is_issued_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Tell whether `issuer`'s key signed `certificate`; names and dates are not asked."""
    try:
        TolerantSignatureValidator().validate_signature(
            certificate["signature_value"].native,
            certificate["tbs_certificate"].dump(),
            issuer.public_key,
            certificate["signature_algorithm"],
        )
    except InvalidSignature:
        return False
    return True
