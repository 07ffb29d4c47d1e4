//! The headers in front of requests and responses. Which version of them goes with which request is the API's; the
//! length in front is `frame`'s.

use crate::api::ApiKey;
use crate::primitives::{DecodeError, EncodeError, Reader, Writer};

/// What stands in front of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestHeader<'a> {
    /// The API's number, which a broker may not know.
    pub api_key: i16,
    /// The version of the request.
    pub api_version: i16,
    /// The client's number for the request, which the response carries again.
    pub correlation_id: i32,
    /// What the client calls itself.
    pub client_id: Option<&'a str>,
}

/// Appends the header of a request.
///
/// # Errors
/// A client id longer than 32,767 bytes.
pub fn encode_request_header(
    w: &mut Writer,
    api: ApiKey,
    version: i16,
    correlation_id: i32,
    client_id: Option<&str>,
) -> Result<(), EncodeError> {
    w.i16(api.as_i16());
    w.i16(version);
    w.i32(correlation_id);
    // The client id is never compact, so that a broker can read the header of a request too new for it.
    w.nullable_string(false, true, client_id, "ClientId")?;
    if api.request_header_version(version) >= 2 {
        w.unsigned_varint(0);
    }
    Ok(())
}

/// Reads the header of a request. The tagged fields of a request whose API is not known here are taken to be absent,
/// as in a header of version 1: such a request is refused anyway.
///
/// # Errors
/// Malformed bytes.
pub fn decode_request_header<'a>(r: &mut Reader<'a>) -> Result<RequestHeader<'a>, DecodeError> {
    let (api_key, api_version) = (r.i16()?, r.i16()?);
    let header =
        RequestHeader { api_key, api_version, correlation_id: r.i32()?, client_id: r.nullable_string(false, true)? };
    if ApiKey::from_i16(api_key).is_some_and(|api| api.request_header_version(api_version) >= 2) {
        r.skip_tags()?;
    }
    Ok(header)
}

/// Appends the header of a response.
pub fn encode_response_header(w: &mut Writer, api: ApiKey, version: i16, correlation_id: i32) {
    w.i32(correlation_id);
    if api.response_header_version(version) >= 1 {
        w.unsigned_varint(0);
    }
}

/// Reads the header of the response to a request of this API and version; gives its correlation id.
///
/// # Errors
/// Malformed bytes.
pub fn decode_response_header(r: &mut Reader<'_>, api: ApiKey, version: i16) -> Result<i32, DecodeError> {
    let correlation_id = r.i32()?;
    if api.response_header_version(version) >= 1 {
        r.skip_tags()?;
    }
    Ok(correlation_id)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request_bytes(api: ApiKey, version: i16, client_id: Option<&str>) -> Vec<u8> {
        let mut w = Writer::new();
        encode_request_header(&mut w, api, version, 7, client_id).unwrap();
        w.into_parts().0
    }

    #[test]
    fn request_headers_are_kafkas_bytes() {
        assert_eq!(request_bytes(ApiKey::Fetch, 11, Some("me")), [0, 1, 0, 11, 0, 0, 0, 7, 0, 2, b'm', b'e']);
        assert_eq!(request_bytes(ApiKey::Fetch, 12, None), [0, 1, 0, 12, 0, 0, 0, 7, 0xff, 0xff, 0]);
    }

    #[test]
    fn request_headers_read_back() {
        for (api, version, client_id) in [(ApiKey::Fetch, 11, Some("me")), (ApiKey::ApiVersions, 3, None)] {
            let bytes = request_bytes(api, version, client_id);
            let mut r = Reader::new(&bytes);
            let header = decode_request_header(&mut r).unwrap();
            let expected = RequestHeader { api_key: api.as_i16(), api_version: version, correlation_id: 7, client_id };
            assert_eq!((header, r.remaining()), (expected, 0));
        }
    }

    #[test]
    fn response_headers_read_back_and_skip_tagged_fields() {
        for (api, version, len) in [(ApiKey::Fetch, 11, 4), (ApiKey::Fetch, 12, 5), (ApiKey::ApiVersions, 3, 4)] {
            let mut w = Writer::new();
            encode_response_header(&mut w, api, version, -2);
            let (bytes, _) = w.into_parts();
            let mut r = Reader::new(&bytes);
            assert_eq!(decode_response_header(&mut r, api, version), Ok(-2));
            assert_eq!((bytes.len(), r.remaining()), (len, 0));
        }
        let mut r = Reader::new(&[0, 0, 0, 9, 1, 5, 2, 0xaa, 0xbb, 42]);
        assert_eq!(decode_response_header(&mut r, ApiKey::Fetch, 12), Ok(9));
        assert_eq!(r.rest(), [42]);
    }
}
