"""What people read when a Kho refuses: Vietnamese for the desk, English beside it; each says what to do next.

Placeholders are facts of the refusal; a fact that is missing reads as "?".
"""

from kho_server.archive.refusals import Reason, Refusal

TEXTS: dict[Reason, tuple[str, str]] = {
    Reason.CLIENT_CERTIFICATE_UNKNOWN: (
        "Chứng thư của máy này chưa được đăng ký. Hãy nhờ người quản trị Kho đăng ký bằng lệnh: kho principal add.",
        "This certificate is not registered here. Ask the administrator to register it with: kho principal add.",
    ),
    Reason.CLIENT_CERTIFICATE_REVOKED: (
        "Đăng ký của chứng thư này đã bị thu hồi hoặc đã hết hạn. Hãy liên hệ người quản trị Kho.",
        "The registration of this certificate was revoked or has ended. Talk to the administrator.",
    ),
    Reason.PRINCIPAL_KIND_NOT_ALLOWED: (
        "Loại tài khoản này ({kind}) không được thực hiện thao tác này.",
        "This kind of caller ({kind}) may not make this call. Use the certificate of the right role.",
    ),
    Reason.OFFICER_REQUIRED: (
        "Phải ghi rõ cán bộ thực hiện (officer_id).",
        "Name the acting officer (officer_id): this caller has no default officer.",
    ),
    Reason.OFFICER_NOT_ACCEPTED: (
        "Cán bộ thực hiện không có trong đăng ký của cơ quan, hoặc không còn hiệu lực hôm nay.",
        "No officer of the caller's agency is registered under this id today. Check the id or register the officer.",
    ),
    Reason.FIELD_REQUIRED: ("Thiếu thông tin bắt buộc: {field}.", "A required field is missing: {field}."),
    Reason.FIELD_MALFORMED: (
        "Thông tin không đúng định dạng: {field}.",
        "This field cannot be read: {field}. Correct it and send again.",
    ),
    Reason.FIELD_TOO_LONG: (
        "Thông tin quá dài: {field} (tối đa {limit} ký tự).",
        "This field is too long: {field} (at most {limit} characters).",
    ),
    Reason.CONTROL_CHARACTER: (
        "Có ký tự điều khiển không được phép trong: {field}.",
        "Control characters are not allowed in {field}. Type the text again.",
    ),
    Reason.CODE_MALFORMED: (
        "Mã không đúng cấu trúc: {field}. Hãy kiểm tra lại từng nhóm ký tự.",
        "This code does not have the right form: {field}. Check it group by group.",
    ),
    Reason.DATE_IMPOSSIBLE: (
        "Ngày không có thật hoặc ngoài khoảng 1900–9999: {field}. Viết theo dạng NĂM-THÁNG-NGÀY.",
        "There is no such day, or it lies outside 1900 to 9999: {field}. Write YEAR-MONTH-DAY.",
    ),
    Reason.DATES_CROSSED: (
        "Các ngày mâu thuẫn với nhau: {field}.",
        "These dates contradict each other: {field}.",
    ),
    Reason.PAGE_TOKEN_INVALID: (
        "Mã trang không hợp lệ. Hãy bắt đầu lại từ trang đầu.",
        "The page token is not valid for this question. Start again at the first page.",
    ),
    Reason.BATCH_TOO_LARGE: (
        "Quá nhiều dòng trong một lần gửi (tối đa {limit}).",
        "Too many lines in one batch (at most {limit}). Split it.",
    ),
    Reason.REQUEST_ID_REUSED: (
        "Mã yêu cầu này đã được dùng cho một yêu cầu khác. Hãy tạo mã mới.",
        "This request id was used for another request. Make a new one.",
    ),
    Reason.MESSAGE_TOO_LARGE: (
        "Thông điệp quá lớn (tối đa {limit_bytes} byte).",
        "The message is too large (at most {limit_bytes} bytes).",
    ),
    Reason.UPLOAD_NOT_OPEN: (
        "Chưa mở phiên tải lên cho văn bản này. Hãy gọi Begin trước.",
        "No upload of this document and version is open. Call Begin first.",
    ),
    Reason.UPLOAD_SUPERSEDED: (
        "Một kết nối mới hơn đang tiếp tục tải văn bản này lên.",
        "A newer connection goes on with this upload.",
    ),
    Reason.UPLOAD_STALLED: (
        "Không nhận được dữ liệu trong {stall_timeout_s} giây. Phần đã xác nhận vẫn được giữ; hãy kết nối lại.",
        "No bytes came for {stall_timeout_s} s. What was acknowledged is kept; connect again.",
    ),
    Reason.TOO_MANY_PAGES: (
        "Quá nhiều trang (tối đa {limit}). Hãy tách thành nhiều văn bản.",
        "Too many pages (at most {limit}). Split the document.",
    ),
    Reason.NOTHING_DECLARED: (
        "Văn bản phải có ít nhất một trang hoặc một tệp đã ký.",
        "A document needs at least one page or one rendition.",
    ),
    Reason.PART_NOT_DECLARED: (
        "{part} nằm ngoài số lượng đã khai báo ({declared}).",
        "{part} lies outside what was declared ({declared}).",
    ),
    Reason.PART_TWICE: (
        "{part} đã được gửi với nội dung khác. Hãy kiểm tra thứ tự trang.",
        "{part} was sent already with other bytes. Check the order of pages.",
    ),
    Reason.PART_EMPTY: ("{part} không có dữ liệu. Hãy quét lại.", "{part} has no bytes. Scan it again."),
    Reason.PART_TOO_LARGE: (
        "{part} quá lớn (tối đa {limit_bytes} byte). Hãy giảm độ phân giải hoặc mức màu.",
        "{part} is too large (at most {limit_bytes} bytes). Lower the resolution or colour depth.",
    ),
    Reason.CHUNK_TOO_LARGE: (
        "Một thông điệp chứa quá nhiều dữ liệu (tối đa {limit_bytes} byte).",
        "One message carries too much data (at most {limit_bytes} bytes).",
    ),
    Reason.OFFSET_GAP: (
        "Dữ liệu của {part} bị thiếu đoạn: máy chủ mới có {persisted_bytes} byte.",
        "Data of {part} would leave a gap: the server has {persisted_bytes} bytes. Go on from there.",
    ),
    Reason.CHECKSUM_MISMATCH: (
        "Dữ liệu bị hỏng trên đường truyền. Hãy gửi lại.",
        "The data was damaged on the way. Send it again.",
    ),
    Reason.DIGEST_MISMATCH: (
        "{part} nhận được không khớp mã băm đã khai báo. Hãy gửi lại trang này.",
        "{part} does not hash to its declared digest. Send this part again.",
    ),
    Reason.SIZE_MISMATCH: (
        "{part} không đúng kích thước đã khai báo.",
        "{part} does not have its declared size.",
    ),
    Reason.MEDIA_TYPE_MISMATCH: (
        "{part} không phải là {declared}. Chỉ nhận JPEG, PNG, TIFF, PDF đúng nội dung.",
        "{part} is not {declared}. Only true JPEG, PNG, TIFF and PDF content is taken.",
    ),
    Reason.PARTS_MISSING: (
        "Còn thiếu {missing_count} phần: {missing}. Hãy gửi đủ rồi niêm phong lại.",
        "{missing_count} parts are missing: {missing}. Send them, then commit again.",
    ),
    Reason.DOCUMENT_SEALED_DIFFERENTLY: (
        "Văn bản này đã được niêm phong với nội dung khác. Muốn sửa, hãy dùng lệnh: kho correct.",
        "This document is sealed with other content. To correct it use: kho correct.",
    ),
    Reason.VERSION_CONFLICT: (
        "Văn bản đã có phiên bản mới hơn ({current_version}). Hãy xem lại rồi thực hiện tiếp.",
        "The document has moved on (newest version {current_version}). Look at it, then try again.",
    ),
    Reason.COPY_SOURCE_MISSING: (
        "{part} dẫn chiếu tới một trang mà phiên tải lên này chưa có đủ.",
        "{part} copies from a page that this upload does not have whole. Send the page first.",
    ),
    Reason.STREAM_OUT_OF_ORDER: (
        "Luồng dữ liệu không đúng thứ tự: mở phiên, tiêu đề từng phần, rồi dữ liệu.",
        "The stream is out of order: open first, then each part's header, then its data.",
    ),
    Reason.LEASE_EXPIRED: (
        "Phiên tải lên đã hết thời hạn giữ và được dọn. Hãy gọi Begin để gửi lại.",
        "The lease of this upload ended and its parts were cleaned up. Begin again.",
    ),
    Reason.DOCUMENT_NOT_FOUND: ("Không tìm thấy văn bản.", "No such document. Check the document id."),
    Reason.RESULT_NOT_FOUND: (
        "Không tìm thấy kết quả theo mã này.",
        "No such result. Check the code, or ask the issuing agency for a grant.",
    ),
    Reason.CODE_NOT_ACCEPTED: (
        "Mã kết quả này không dùng được. Hãy để trống để Kho cấp mã, hoặc kiểm tra lại mã.",
        "This result code cannot be taken. Leave it empty to be given one, or check it.",
    ),
    Reason.ISSUER_NOT_ALLOWED: (
        "Không được lưu kết quả thay cho cơ quan ban hành này.",
        "The caller may not store results of this issuer. Check the issuer code, or register a delegation.",
    ),
    Reason.DOSSIER_CONFLICT: (
        "Hồ sơ này đã được đăng ký với thủ tục khác.",
        "This dossier is registered with another procedure. Check both codes.",
    ),
    Reason.CONTENT_NOT_AVAILABLE: (
        "Văn bản không có trang hoặc tệp được yêu cầu.",
        "The document has no such page or signed file. Name a page, or wait until it is signed.",
    ),
    Reason.OFFSET_BEYOND_END: (
        "Vị trí đọc vượt quá độ dài nội dung ({size_bytes} byte).",
        "The offset lies beyond the end of the content ({size_bytes} bytes).",
    ),
    Reason.FILE_TOO_LARGE: (
        "Tệp quá lớn để kiểm tra (tối đa {limit_bytes} byte).",
        "The file is too large to verify (at most {limit_bytes} bytes).",
    ),
    Reason.REGISTRATION_NOT_FOUND: ("Không tìm thấy đăng ký: {kind}.", "No such registration: {kind}."),
    Reason.REGISTRATION_EXISTS: (
        "Đã có đăng ký khác dùng mã hoặc chứng thư này: {kind}.",
        "Another registration uses this code, id or certificate: {kind}.",
    ),
    Reason.CERTIFICATE_MALFORMED: (
        "Không đọc được chứng thư. Cần tệp PEM hoặc DER.",
        "The certificate cannot be read. Give a PEM or DER file.",
    ),
    Reason.STORAGE_FULL: (
        "Máy chủ Kho sắp hết dung lượng, tạm dừng nhận tải lên. Phần đã xác nhận vẫn an toàn; hãy thử lại sau.",
        "The server has no room for uploads now. What was acknowledged is safe; try again later.",
    ),
    Reason.DATABASE_UNAVAILABLE: (
        "Cơ sở dữ liệu của Kho tạm thời không trả lời. Hãy thử lại sau ít giây.",
        "The database does not answer for the moment. Try again in a few seconds.",
    ),
    Reason.SERVER_DRAINING: (
        "Máy chủ Kho đang dừng để bảo trì. Hãy thử lại sau ít phút.",
        "The server is shutting down. Try again in a few minutes.",
    ),
    Reason.TOO_MANY_REQUESTS: (
        "Quá nhiều yêu cầu cùng lúc. Hãy thử lại sau.",
        "Too much at once from this caller. Try again later.",
    ),
    Reason.DATA_DAMAGED: (
        "Dữ liệu lưu trữ bị hỏng nên không được giao ra. Người vận hành đã được báo.",
        "The stored bytes are damaged and were not served. The operators are told.",
    ),
    Reason.INTERNAL_FAULT: (
        "Lỗi của máy chủ. Hãy báo người vận hành kèm mã yêu cầu.",
        "A fault of the server. Tell the operator the request id.",
    ),
}


class _Facts(dict[str, str]):
    """Facts in which a missing one reads as a question mark."""

    def __missing__(self, key: str) -> str:
        return "?"


def texts_of(refusal: Refusal) -> tuple[str, str]:
    """Return the refusal's sentence in Vietnamese and in English."""
    vietnamese, english = TEXTS[refusal.reason]
    facts = _Facts(refusal.facts)
    return vietnamese.format_map(facts), english.format_map(facts)
