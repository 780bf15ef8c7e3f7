"""Sentences for a clerk: what an answer means, and what to do; Vietnamese first."""

from dataclasses import dataclass

from kho_server.verification.verdict import Indication, SubIndication


@dataclass(frozen=True)
class Explanation:
    """One sentence on what it means and one on what to do, in both languages."""

    vi: str
    en: str


_PASSED = Explanation(
    "Tất cả chữ ký số trong tệp hợp lệ và nội dung không bị thay đổi sau khi ký. Có thể sử dụng tệp này.",
    "Every digital signature in the file is valid and nothing was changed after signing. The file can be used.",
)
_UNSIGNED = Explanation(
    "Tệp không có chữ ký số nào. Đề nghị cán bộ và cơ quan ký số rồi nộp lại.",
    "The file bears no digital signature. Have the officer and the agency sign it, then submit it again.",
)

_BY_REASON = {
    SubIndication.FORMAT_FAILURE: Explanation(
        "Cấu trúc tệp hoặc chữ ký không đúng, hoặc tệp đã bị sửa sau khi ký."
        " Không sử dụng tệp này; lấy lại bản gốc từ người ký hoặc ký lại.",
        "The structure of the file or of a signature is wrong, or the file was changed after signing."
        " Do not use it; get the original from the signer, or have it signed again.",
    ),
    SubIndication.HASH_FAILURE: Explanation(
        "Nội dung tệp đã bị thay đổi sau khi ký. Không sử dụng tệp này; lấy lại bản gốc từ người ký.",
        "The content of the file was changed after signing. Do not use it; get the original from the signer.",
    ),
    SubIndication.SIG_CRYPTO_FAILURE: Explanation(
        "Giá trị chữ ký không khớp với chứng thư số của người ký. Đề nghị người ký ký lại.",
        "The signature value does not match the signer's certificate. Have the file signed again.",
    ),
    SubIndication.REVOKED: Explanation(
        "Chứng thư số của người ký đã bị thu hồi trước khi ký. Đề nghị ký lại bằng chứng thư số còn hiệu lực.",
        "The signer's certificate had been revoked before signing."
        " Have the file signed again with a certificate in force.",
    ),
    SubIndication.EXPIRED: Explanation(
        "Chứng thư số của người ký đã hết hạn trước khi ký. Đề nghị ký lại bằng chứng thư số còn hiệu lực.",
        "The signer's certificate had expired before signing. Have the file signed again with a certificate in force.",
    ),
    SubIndication.NOT_YET_VALID: Explanation(
        "Chữ ký có trước ngày chứng thư số có hiệu lực. Kiểm tra đồng hồ máy ký rồi ký lại.",
        "The signature is older than the certificate's first day."
        " Check the clock of the signing machine, then sign again.",
    ),
    SubIndication.SIG_CONSTRAINTS_FAILURE: Explanation(
        "Chữ ký thuộc loại không được chấp nhận hoặc thiếu thuộc tính bắt buộc. Đề nghị ký lại theo chuẩn PAdES.",
        "The signature is of a kind that is not accepted, or lacks a required attribute."
        " Have the file signed again as PAdES.",
    ),
    SubIndication.CHAIN_CONSTRAINTS_FAILURE: Explanation(
        "Chứng thư số không được cấp để ký văn bản. Đề nghị ký bằng chứng thư số có mục đích ký số.",
        "The certificate was not issued for signing documents. Have the file signed with a certificate that was.",
    ),
    SubIndication.CERTIFICATE_CHAIN_GENERAL_FAILURE: Explanation(
        "Không kiểm tra được chuỗi chứng thư số, thường do thiếu danh sách thu hồi."
        " Báo quản trị viên cập nhật danh sách thu hồi rồi kiểm tra lại.",
        "The certificate chain could not be checked, most often for want of a revocation list."
        " Ask the operator to bring the lists up to date, then verify again.",
    ),
    SubIndication.CRYPTO_CONSTRAINTS_FAILURE: Explanation(
        "Chữ ký dùng thuật toán không còn an toàn. Đề nghị cơ quan ban hành xác nhận hoặc ký lại.",
        "The signature uses an algorithm that is no longer safe."
        " Have the issuing agency attest the document or sign it again.",
    ),
    SubIndication.POLICY_PROCESSING_ERROR: Explanation(
        "Không đọc được chính sách ký nêu trong chữ ký. Báo quản trị viên.",
        "The signature policy named in the signature could not be read. Tell the operator.",
    ),
    SubIndication.SIGNATURE_POLICY_NOT_AVAILABLE: Explanation(
        "Không có chính sách ký nêu trong chữ ký. Báo quản trị viên bổ sung chính sách.",
        "The signature policy named in the signature is not at hand. Ask the operator to add it.",
    ),
    SubIndication.TIMESTAMP_ORDER_FAILURE: Explanation(
        "Các dấu thời gian trong tệp không theo đúng thứ tự. Đề nghị ký lại.",
        "The time-stamps in the file are out of order. Have the file signed again.",
    ),
    SubIndication.NO_SIGNING_CERTIFICATE_FOUND: Explanation(
        "Không tìm thấy chứng thư số của người ký trong chữ ký. Đề nghị ký lại kèm chứng thư số.",
        "The signer's certificate is not in the signature. Have the file signed again with its certificate.",
    ),
    SubIndication.NO_CERTIFICATE_CHAIN_FOUND: Explanation(
        "Chứng thư số không do tổ chức được tin cậy cấp."
        " Nếu đây là chứng thư số hợp lệ, báo quản trị viên bổ sung tổ chức cấp; nếu không, đề nghị ký lại.",
        "The certificate was not issued by a trusted authority."
        " If it ought to be, ask the operator to add the authority; otherwise have the file signed again.",
    ),
    SubIndication.NO_CERTIFICATE_CHAIN_FOUND_NO_POE: Explanation(
        "Tổ chức cấp chứng thư số không còn được tin cậy và không có bằng chứng ký trước thời điểm đó."
        " Đề nghị cơ quan ban hành xác nhận hoặc ký lại.",
        "The issuing authority is no longer trusted, and nothing proves that the signature is older."
        " Have the issuing agency attest the document or sign it again.",
    ),
    SubIndication.REVOKED_NO_POE: Explanation(
        "Chứng thư số của người ký đã bị thu hồi và không có bằng chứng ký trước thời điểm thu hồi."
        " Đề nghị ký lại bằng chứng thư số còn hiệu lực.",
        "The signer's certificate is revoked, and nothing proves that the signature is older."
        " Have the file signed again with a certificate in force.",
    ),
    SubIndication.REVOKED_CA_NO_POE: Explanation(
        "Chứng thư số của tổ chức cấp đã bị thu hồi và không có bằng chứng ký trước thời điểm đó."
        " Đề nghị ký lại bằng chứng thư số của tổ chức khác.",
        "The certificate of the issuing authority is revoked, and nothing proves that the signature is older."
        " Have the file signed again with a certificate of another authority.",
    ),
    SubIndication.OUT_OF_BOUNDS_NOT_REVOKED: Explanation(
        "Chứng thư số đã hết hạn, chưa từng bị thu hồi, nhưng thiếu bằng chứng thời điểm ký."
        " Đề nghị cơ quan ban hành xác nhận hoặc ký lại.",
        "The certificate has expired without ever being revoked, but the time of signing is not proven."
        " Have the issuing agency attest the document or sign it again.",
    ),
    SubIndication.OUT_OF_BOUNDS_NO_POE: Explanation(
        "Chứng thư số đã hết hạn và không có bằng chứng ký khi còn hạn."
        " Đề nghị cơ quan ban hành xác nhận hoặc ký lại bằng chứng thư số còn hiệu lực.",
        "The certificate has expired, and nothing proves that the signature was made before."
        " Have the issuing agency attest the document, or sign it again with a certificate in force.",
    ),
    SubIndication.REVOCATION_OUT_OF_BOUNDS_NO_POE: Explanation(
        "Chứng thư số của nơi xác nhận tình trạng thu hồi đã hết hạn. Báo quản trị viên rồi kiểm tra lại.",
        "The certificate behind the revocation data has expired. Tell the operator, then verify again.",
    ),
    SubIndication.CRYPTO_CONSTRAINTS_FAILURE_NO_POE: Explanation(
        "Chữ ký dùng thuật toán không còn an toàn và không có bằng chứng ký khi thuật toán còn an toàn."
        " Đề nghị cơ quan ban hành xác nhận hoặc ký lại.",
        "The signature uses an algorithm that is no longer safe, and nothing proves that it was made before."
        " Have the issuing agency attest the document or sign it again.",
    ),
    SubIndication.NO_POE: Explanation(
        "Thiếu bằng chứng về thời điểm ký. Đề nghị cơ quan ban hành xác nhận hoặc ký lại.",
        "The time of signing is not proven. Have the issuing agency attest the document or sign it again.",
    ),
    SubIndication.TRY_LATER: Explanation(
        "Thông tin thu hồi chưa đủ mới để kết luận. Hệ thống sẽ kiểm tra lại; chưa cần ký lại.",
        "The revocation data are not fresh enough to decide. It will be verified again; no need to sign anew.",
    ),
    SubIndication.SIGNED_DATA_NOT_FOUND: Explanation(
        "Không đọc được nội dung đã ký, ví dụ tệp có mật khẩu. Đề nghị nộp bản không đặt mật khẩu.",
        "What was signed cannot be read, for example because of a password. Submit a file without one.",
    ),
}


def explain(indication: Indication, reason: SubIndication | None) -> Explanation:
    """Return meaning and remedy. KeyError: a pair that EN 319 102-1 does not know."""
    if reason is not None:
        if reason.indication is not indication:
            raise KeyError((indication, reason))
        return _BY_REASON[reason]
    return {Indication.TOTAL_PASSED: _PASSED, Indication.NO_SIGNATURE: _UNSIGNED}[indication]
