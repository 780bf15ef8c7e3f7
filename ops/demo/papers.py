"""What stands on the demo's papers: the wording of administrative documents, and no real person."""

import enum
import random
from collections.abc import Iterator
from dataclasses import dataclass

NATION = "CỘNG HÒA XÃ HỘI CHỦ NGHĨA VIỆT NAM"
MOTTO = "Độc lập - Tự do - Hạnh phúc"


class Scan(enum.Enum):
    """How the station's scanner is set, with the media type of what it gives."""

    COLOUR = "image/jpeg"
    BITONAL = "image/tiff"


@dataclass(frozen=True, slots=True)
class Paper:
    """One document on the glass; `code` is the reserved result code that the paper bears, if any.

    `superior` and `agency` are the two header lines, `place_and_date` the line under the motto.
    """

    title: str
    subject: str
    superior: str
    agency: str
    number: str
    place_and_date: str
    signer_title: str
    sheets: int
    scan: Scan = Scan.COLOUR
    code: str | None = None

    def __post_init__(self) -> None:
        """Refuse a paper that no scanner could take."""
        if not 1 <= self.sheets <= 10_000:
            raise ValueError("a paper has 1 to 10000 sheets")


def placeholder(number: int) -> str:
    """Return a name that nobody bears."""
    return f"NGƯỜI MẪU {number:02}"


_FORMS: dict[str, tuple[str, ...]] = {
    "GIẤY KHAI SINH": (
        "Họ, chữ đệm, tên: {a}",
        "Ngày, tháng, năm sinh: 01/01/2026; giới tính: Nữ; dân tộc: Kinh; quốc tịch: Việt Nam",
        "Nơi sinh: Bệnh viện đa khoa mẫu, xã Mẫu, tỉnh Mẫu",
        "Quê quán: thôn Mẫu, xã Mẫu, tỉnh Mẫu",
        "Số định danh cá nhân: 000 000 000 000",
        "Họ, chữ đệm, tên người mẹ: {b}",
        "Họ, chữ đệm, tên người cha: {c}",
        "Họ, chữ đệm, tên người đi khai sinh: {b}; giấy tờ tùy thân: thẻ căn cước mẫu",
    ),
    "GIẤY CHỨNG NHẬN KẾT HÔN": (
        "Họ, chữ đệm, tên vợ: {a}",
        "Ngày, tháng, năm sinh: 02/02/2000; dân tộc: Ê Đê; quốc tịch: Việt Nam",
        "Nơi cư trú: tổ dân phố Mẫu, phường Mẫu, tỉnh Mẫu",
        "Họ, chữ đệm, tên chồng: {b}",
        "Ngày, tháng, năm sinh: 03/03/1999; dân tộc: Kinh; quốc tịch: Việt Nam",
        "Nơi cư trú: thôn Mẫu, xã Mẫu, tỉnh Mẫu",
        "Giấy chứng nhận này có giá trị kể từ ngày ký, ghi vào Sổ đăng ký kết hôn.",
    ),
    "GIẤY PHÉP XÂY DỰNG": (
        "1. Cấp cho: ông (bà) {a}; địa chỉ: đường Mẫu, phường Mẫu, tỉnh Mẫu",
        "2. Được phép xây dựng công trình: nhà ở riêng lẻ, cấp III, tại thửa đất số 00, tờ bản đồ số 00",
        "3. Cốt nền xây dựng: 0,45 m; mật độ xây dựng: 70 %; hệ số sử dụng đất: 2,1",
        "4. Chỉ giới đường đỏ, chỉ giới xây dựng: theo bản vẽ kèm theo",
        "5. Số tầng: 03; diện tích xây dựng tầng một: 84,5 m²; tổng diện tích sàn: 236,0 m²",
        "6. Giấy phép có hiệu lực khởi công trong thời hạn 12 tháng kể từ ngày cấp.",
    ),
    "QUYẾT ĐỊNH": (
        "CHỦ TỊCH ỦY BAN NHÂN DÂN",
        "Căn cứ Luật Tổ chức chính quyền địa phương;",
        "Căn cứ Nghị định số 45/2020/NĐ-CP của Chính phủ về thực hiện thủ tục hành chính trên môi trường điện tử;",
        "Xét đề nghị của Chánh Văn phòng tại Tờ trình số 00/TTr-VP,",
        "QUYẾT ĐỊNH:",
        "Điều 1. Công nhận kết quả giải quyết thủ tục hành chính của ông (bà) {a}.",
        "Điều 2. Quyết định này có hiệu lực kể từ ngày ký.",
        "Điều 3. Chánh Văn phòng và ông (bà) {b} chịu trách nhiệm thi hành Quyết định này./.",
    ),
}

TITLES = tuple(_FORMS)

SENTENCES = (
    "Cơ quan tiếp nhận có trách nhiệm kiểm tra tính đầy đủ, hợp lệ của hồ sơ và cấp giấy tiếp nhận hồ sơ, "
    "hẹn trả kết quả cho tổ chức, cá nhân.",
    "Kết quả đã được số hóa có giá trị sử dụng như bản giấy khi đáp ứng đủ điều kiện về chữ ký số và mã kết quả.",
    "Mỗi giấy tờ chỉ được yêu cầu nộp một lần; cán bộ sẽ khai thác dữ liệu sẵn có để tái sử dụng.",
    "Trẻ nhỏ chưa có thẻ căn cước thì mẹ, cha hoặc người giám hộ kê khai theo mẫu kèm theo.",
    "Việc lưu trữ, bảo quản phải giữ nguyên vẹn nội dung, thể thức và kỹ thuật trình bày của văn bản.",
    "Tỷ lệ hồ sơ giải quyết đúng hạn của kỳ này được tổng hợp, lũy kế từ đầu năm Ất Tỵ theo lịch cổ truyền.",
    "Ủy ban nhân dân các xã, phường khẩn trương rà soát, tháo gỡ vướng mắc, khẳng định rõ trách nhiệm của "
    "người đứng đầu.",
    "Phí, lệ phí được miễn, giảm theo quy định; biên lai điện tử gửi qua hộp thư của người nộp.",
    "Trường hợp hủy bỏ hoặc thu hồi kết quả, đơn vị ban hành cập nhật ngay trên hệ thống và thông báo cho "
    "các cơ quan liên quan biết.",
    "Diện tích, ranh giới thửa đất thể hiện trên sơ đồ vị trí; mọi ý kiến khác gửi về bộ phận một cửa.",
    "Nghĩa vụ tài chính, thời hạn sử dụng và những hạn chế về quyền được ghi tại phần ghi chú của tờ này.",
    "Dữ liệu cũ, hồ sơ giấy bị mờ hoặc rách, đã ố vàng phải được chụp lại bằng máy quét màu, độ phân giải "
    "tối thiểu 200 dpi.",
)


def opening_lines(paper: Paper) -> tuple[str, ...]:
    """Return the lines that the form of this title begins with; placeholders stand for all people."""
    names = {key: placeholder(number) for number, key in enumerate("abc", start=1)}
    return tuple(line.format(**names) for line in _FORMS.get(paper.title, ()))


def running_text(random_source: random.Random) -> Iterator[str]:
    """Yield sentences without end, each with its number, as long documents have them."""
    number = 0
    while True:
        for sentence in random_source.sample(SENTENCES, len(SENTENCES)):
            number += 1
            yield f"{number}. {sentence}"
