//! From connected to ready: ask the broker which versions it speaks (KIP-35), downgrade when ours is too new (KIP-511).
use ottla_protocol::api::ApiKey;
use ottla_protocol::messages::api_versions::{ApiVersionsRequest, ApiVersionsResponse};
use ottla_protocol::primitives::{Message, Reader};
use ottla_protocol::versions::ApiVersions;

const UNSUPPORTED_VERSION: i16 = 35;

/// What an answer to ApiVersions means for the connection.
#[derive(Debug)]
pub enum Verdict {
    /// The connection is ready.
    Ready(ApiVersions),
    /// Ask again at this version.
    Again(i16),
    /// This is no broker that we can speak to; the reason, for the user.
    Refused(String),
}

/// The highest version of ApiVersions that we ask with first.
pub fn first_version() -> i16 {
    ApiKey::ApiVersions.latest_stable_version()
}

/// The request; brokers log name and version (KIP-511).
pub fn request() -> ApiVersionsRequest<'static> {
    ApiVersionsRequest {
        client_software_name: "ottla",
        client_software_version: env!("CARGO_PKG_VERSION"),
        ..Default::default()
    }
}

/// Reads the answer to a request that was sent at `version`. `body` begins after the response header.
pub fn judge(body: &[u8], version: i16) -> Verdict {
    // A broker that does not know our version answers at version 0 (KIP-511), whatever we asked with.
    let error = body.get(..2).map(|code| i16::from_be_bytes([code[0], code[1]]));
    let read_at = if error == Some(UNSUPPORTED_VERSION) { 0 } else { version };
    let response = match ApiVersionsResponse::decode(&mut Reader::new(body), read_at) {
        Ok(response) => response,
        Err(error) => return Verdict::Refused(format!("its answer to ApiVersions cannot be read ({error})")),
    };
    match response.error_code {
        0 => Verdict::Ready(ApiVersions::from_response(&response, false)),
        UNSUPPORTED_VERSION => {
            let range = response.api_keys.iter().find(|range| range.api_key == ApiKey::ApiVersions as i16);
            // Brokers that name no range (KIP-511 makes it optional) speak version 0 at least.
            let highest = range.map_or(0, |range| range.max_version).min(version - 1);
            if highest < 0 {
                Verdict::Refused("it refuses every version of ApiVersions that this client speaks".to_owned())
            } else {
                Verdict::Again(highest)
            }
        }
        code => Verdict::Refused(format!("it answered ApiVersions with error {code}")),
    }
}
