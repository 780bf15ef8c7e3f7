"""Why a rule refused or doubted something, in words a clerk and a programmer can read."""

from enum import StrEnum
from typing import NamedTuple


class Words(NamedTuple):
    """One reason in Vietnamese and in English; names in braces are filled with facts, never with what was sent."""

    vi: str
    en: str


class Reason(StrEnum):
    """The machine's name of a refusal."""

    # text
    TEXT_EMPTY = "TEXT_EMPTY"
    TEXT_TOO_LONG = "TEXT_TOO_LONG"
    CONTROL_CHARACTER = "CONTROL_CHARACTER"
    BIDI_CONTROL = "BIDI_CONTROL"
    INVISIBLE_CHARACTER = "INVISIBLE_CHARACTER"
    LONE_SURROGATE = "LONE_SURROGATE"
    UNASSIGNED_CHARACTER = "UNASSIGNED_CHARACTER"
    TOO_MANY_MARKS = "TOO_MANY_MARKS"
    # codes
    CODE_EMPTY = "CODE_EMPTY"
    CODE_TOO_LONG = "CODE_TOO_LONG"
    CODE_NOT_IN_FORCE = "CODE_NOT_IN_FORCE"
    AGENCY_CODE_MALFORMED = "AGENCY_CODE_MALFORMED"
    DOSSIER_CODE_MALFORMED = "DOSSIER_CODE_MALFORMED"
    PROCEDURE_CODE_MALFORMED = "PROCEDURE_CODE_MALFORMED"
    FIELD_CODE_MALFORMED = "FIELD_CODE_MALFORMED"
    RESULT_TYPE_MALFORMED = "RESULT_TYPE_MALFORMED"
    ARCHIVE_ID_MALFORMED = "ARCHIVE_ID_MALFORMED"
    RESULT_CODE_MALFORMED = "RESULT_CODE_MALFORMED"
    RESULT_CODE_NOT_OF_TEMPLATE = "RESULT_CODE_NOT_OF_TEMPLATE"
    PUBLIC_CODE_MALFORMED = "PUBLIC_CODE_MALFORMED"
    PUBLIC_CODE_CHECK_FAILED = "PUBLIC_CODE_CHECK_FAILED"
    REPOSITORY_ID_MALFORMED = "REPOSITORY_ID_MALFORMED"
    SEQUENCE_OUT_OF_RANGE = "SEQUENCE_OUT_OF_RANGE"
    # the template of result codes
    TEMPLATE_MALFORMED = "TEMPLATE_MALFORMED"
    TEMPLATE_FIELD_UNKNOWN = "TEMPLATE_FIELD_UNKNOWN"
    TEMPLATE_FIELD_REPEATED = "TEMPLATE_FIELD_REPEATED"
    TEMPLATE_WITHOUT_SEQUENCE = "TEMPLATE_WITHOUT_SEQUENCE"
    TEMPLATE_FIELDS_TOUCH = "TEMPLATE_FIELDS_TOUCH"
    # days
    DATE_MALFORMED = "DATE_MALFORMED"
    DATE_IMPOSSIBLE = "DATE_IMPOSSIBLE"
    DATE_OUT_OF_RANGE = "DATE_OUT_OF_RANGE"
    DATES_CROSSED = "DATES_CROSSED"
    # content
    MEDIA_TYPE_UNKNOWN = "MEDIA_TYPE_UNKNOWN"
    MEDIA_TYPE_NOT_RECOGNISED = "MEDIA_TYPE_NOT_RECOGNISED"
    MEDIA_TYPE_MISMATCH = "MEDIA_TYPE_MISMATCH"


class Doubt(StrEnum):
    """The machine's name of a warning: the code is accepted, a person should look again."""

    LETTER_ETH = "LETTER_ETH"
    DASH_VARIANT = "DASH_VARIANT"
    INNER_SPACES = "INNER_SPACES"
    DOSSIER_DAY_AHEAD = "DOSSIER_DAY_AHEAD"
    CITIZEN_ID_FORM = "CITIZEN_ID_FORM"
    CITIZEN_ID_BIRTH_AHEAD = "CITIZEN_ID_BIRTH_AHEAD"
    OLD_IDENTITY_CARD = "OLD_IDENTITY_CARD"
    TAX_CHECK_DIGIT = "TAX_CHECK_DIGIT"
    TAX_CHECK_DIGIT_UNDECIDED = "TAX_CHECK_DIGIT_UNDECIDED"
    TAX_BRANCH_ZERO = "TAX_BRANCH_ZERO"
    OWNER_ID_UNKNOWN_FORM = "OWNER_ID_UNKNOWN_FORM"
    DOCUMENT_NUMBER_FORM = "DOCUMENT_NUMBER_FORM"


REFUSALS: dict[Reason, Words] = {
    Reason.TEXT_EMPTY: Words("Chưa nhập nội dung.", "Nothing was entered; it is required."),
    Reason.TEXT_TOO_LONG: Words(
        "Nội dung quá dài, tối đa {max_chars} ký tự.", "Too long: at most {max_chars} characters."
    ),
    Reason.CONTROL_CHARACTER: Words(
        "Có ký tự điều khiển (xuống dòng, tab...) ở vị trí {position}. Hãy xóa và nhập lại.",
        "A control character (line break, tab, ...) stands at position {position}; remove it.",
    ),
    Reason.BIDI_CONTROL: Words(
        "Có ký tự ẩn đảo chiều chữ ở vị trí {position}. Hãy xóa và gõ lại.",
        "An invisible character that reorders text stands at position {position}; remove it.",
    ),
    Reason.INVISIBLE_CHARACTER: Words(
        "Có ký tự ẩn ở vị trí {position}. Hãy gõ lại thay vì sao chép.",
        "An invisible character stands at position {position}; type the text instead of pasting it.",
    ),
    Reason.LONE_SURROGATE: Words(
        "Ký tự ở vị trí {position} bị hỏng mã. Hãy nhập lại.",
        "The character at position {position} is half of a surrogate pair; send well-formed Unicode.",
    ),
    Reason.UNASSIGNED_CHARACTER: Words(
        "Ký tự ở vị trí {position} không thuộc bảng mã Unicode. Hãy nhập lại.",
        "The character at position {position} is not assigned in Unicode; replace it.",
    ),
    Reason.TOO_MANY_MARKS: Words(
        "Quá nhiều dấu chồng lên một chữ ở vị trí {position}. Hãy nhập lại.",
        "Too many combining marks on one letter at position {position}; enter it again.",
    ),
    Reason.CODE_EMPTY: Words("Chưa nhập mã.", "The code is empty."),
    Reason.CODE_TOO_LONG: Words(
        "Mã quá dài, tối đa {max_chars} ký tự.", "The code is too long: at most {max_chars} characters."
    ),
    Reason.CODE_NOT_IN_FORCE: Words(
        "Dạng mã này không áp dụng vào ngày {on}.", "Codes of this form are not in use on {on}."
    ),
    Reason.AGENCY_CODE_MALFORMED: Words(
        "Mã cơ quan không đúng dạng. Ví dụ đúng: {example}.",
        "The agency code is malformed; right, for example: {example}.",
    ),
    Reason.DOSSIER_CODE_MALFORMED: Words(
        "Mã hồ sơ không đúng dạng. Ví dụ đúng: {example}.",
        "The dossier code is malformed; right, for example: {example}.",
    ),
    Reason.PROCEDURE_CODE_MALFORMED: Words(
        "Mã thủ tục hành chính không đúng dạng. Ví dụ đúng: {example}.",
        "The procedure code is malformed; right, for example: {example}.",
    ),
    Reason.FIELD_CODE_MALFORMED: Words(
        "Mã lĩnh vực không đúng dạng. Ví dụ đúng: {example}.",
        "The field code is malformed; right, for example: {example}.",
    ),
    Reason.RESULT_TYPE_MALFORMED: Words(
        "Mã loại kết quả không đúng dạng. Ví dụ đúng: {example}.",
        "The result type is malformed; right, for example: {example}.",
    ),
    Reason.ARCHIVE_ID_MALFORMED: Words(
        "Mã lưu trữ không đúng dạng. Ví dụ đúng: {example}.",
        "The archive identifier is malformed; right, for example: {example}.",
    ),
    Reason.RESULT_CODE_MALFORMED: Words(
        "Mã kết quả có ký tự không được phép ở vị trí {position}. Chỉ dùng chữ cái, chữ số và . - / _ & :",
        "The result code has a character at position {position} that is not allowed; use letters, digits and"
        " . - / _ & :",
    ),
    Reason.RESULT_CODE_NOT_OF_TEMPLATE: Words(
        "Mã kết quả không theo mẫu {template}.", "The result code does not follow the template {template}."
    ),
    Reason.PUBLIC_CODE_MALFORMED: Words(
        "Mã tra cứu không đúng dạng. Ví dụ đúng: {example}.",
        "The public code is malformed; right, for example: {example}.",
    ),
    Reason.PUBLIC_CODE_CHECK_FAILED: Words(
        "Mã tra cứu bị nhầm ký tự (sai ký tự kiểm tra). Hãy đọc lại từng nhóm.",
        "The check character does not fit: the public code was mistyped; read it again group by group.",
    ),
    Reason.REPOSITORY_ID_MALFORMED: Words(
        "Mã kho không đúng dạng. Ví dụ đúng: {example}.",
        "The repository id is malformed; right, for example: {example}.",
    ),
    Reason.SEQUENCE_OUT_OF_RANGE: Words(
        "Số thứ tự phải từ {first} đến {last}.", "The sequence number must be from {first} to {last}."
    ),
    Reason.TEMPLATE_MALFORMED: Words(
        "Mẫu mã kết quả không hợp lệ ở vị trí {position}.",
        "The template cannot be read at position {position}: fields are written {{name}}, between them stand"
        " A-Z, 0-9 and . - / _",
    ),
    Reason.TEMPLATE_FIELD_UNKNOWN: Words(
        "Mẫu mã kết quả có trường lạ; chỉ dùng {known}.",
        "The template has an unknown field; known are {known}.",
    ),
    Reason.TEMPLATE_FIELD_REPEATED: Words("Mẫu mã kết quả có trường lặp lại.", "The template names a field twice."),
    Reason.TEMPLATE_WITHOUT_SEQUENCE: Words(
        "Mẫu mã kết quả phải có {{sequence}}.", "The template must contain {{sequence}}."
    ),
    Reason.TEMPLATE_FIELDS_TOUCH: Words(
        "Giữa hai trường trong mẫu mã kết quả phải có một trong các dấu . / _",
        "Two fields of the template touch; put one of . / _ right after each field that another follows.",
    ),
    Reason.DATE_MALFORMED: Words(
        "Ngày phải viết theo dạng NĂM-THÁNG-NGÀY, ví dụ 2026-11-21.",
        "A day is written YYYY-MM-DD, for example 2026-11-21.",
    ),
    Reason.DATE_IMPOSSIBLE: Words("Ngày này không có trong lịch.", "There is no such day in the calendar."),
    Reason.DATE_OUT_OF_RANGE: Words("Ngày phải từ {first} đến {last}.", "The day must be from {first} to {last}."),
    Reason.DATES_CROSSED: Words(
        "Ngày hết hiệu lực đứng trước ngày bắt đầu hiệu lực.",
        "The last day of validity lies before the first.",
    ),
    Reason.MEDIA_TYPE_UNKNOWN: Words(
        "Loại tệp khai báo không được nhận; chỉ nhận {known}.",
        "The declared media type is not accepted; accepted are {known}.",
    ),
    Reason.MEDIA_TYPE_NOT_RECOGNISED: Words(
        "Nội dung tệp không phải JPEG, PNG, TIFF hay PDF.",
        "The content is not JPEG, PNG, TIFF or PDF; a PDF must begin with %PDF- at its first byte.",
    ),
    Reason.MEDIA_TYPE_MISMATCH: Words(
        "Khai báo {declared} nhưng nội dung tệp là {found}.",
        "Declared {declared}, but the content is {found}.",
    ),
}

DOUBTS: dict[Doubt, Words] = {
    Doubt.LETTER_ETH: Words(
        "Mã dùng chữ Ð (U+00D0) thay cho chữ Đ của tiếng Việt.",
        "The code uses the letter eth (U+00D0) where the Vietnamese letter U+0110 belongs.",
    ),
    Doubt.DASH_VARIANT: Words(
        "Mã dùng dấu gạch khác dấu gạch nối thường (-).", "The code uses a dash other than the plain hyphen."
    ),
    Doubt.INNER_SPACES: Words("Mã có khoảng trắng ở giữa.", "The code has spaces inside."),
    Doubt.DOSSIER_DAY_AHEAD: Words(
        "Ngày tiếp nhận trong mã hồ sơ ở tương lai.", "The day of receipt in the dossier code lies ahead."
    ),
    Doubt.CITIZEN_ID_FORM: Words(
        "Số có 12 chữ số nhưng không theo cấu trúc số định danh cá nhân.",
        "Twelve digits that do not have the structure of a personal identification number.",
    ),
    Doubt.CITIZEN_ID_BIRTH_AHEAD: Words(
        "Năm sinh trong số định danh ở tương lai.", "The year of birth in the personal number lies ahead."
    ),
    Doubt.OLD_IDENTITY_CARD: Words(
        "Số có 9 chữ số: chứng minh nhân dân cũ hoặc mã số thuế thiếu chữ số.",
        "Nine digits: an old identity card, or a tax code with a digit missing.",
    ),
    Doubt.TAX_CHECK_DIGIT: Words(
        "Chữ số kiểm tra của mã số thuế không khớp.", "The check digit of the tax code does not fit."
    ),
    Doubt.TAX_CHECK_DIGIT_UNDECIDED: Words(
        "Không xác định được chữ số kiểm tra của mã số thuế này.",
        "For this tax code no single check digit follows from the formula.",
    ),
    Doubt.TAX_BRANCH_ZERO: Words(
        "Số đơn vị phụ thuộc trong mã số thuế phải từ 001 đến 999.",
        "The branch in a tax code runs from 001 to 999.",
    ),
    Doubt.OWNER_ID_UNKNOWN_FORM: Words(
        "Không phải số định danh cá nhân hay mã số thuế; hãy kiểm tra lại.",
        "Neither a personal identification number nor a tax code; check it.",
    ),
    Doubt.DOCUMENT_NUMBER_FORM: Words(
        "Số, ký hiệu không theo thể thức (ví dụ đúng: {example}).",
        "Number and sign do not follow the prescribed form (right, for example: {example}).",
    ),
}
