//! ApiVersions: what the broker serves (KIP-511: an unknown version is answered in version 0, naming its own range).

use ottla_protocol::api::ApiKey;
use ottla_protocol::error_codes::ErrorCode;
use ottla_protocol::messages::api_versions::{ApiVersion, ApiVersionsRequest, ApiVersionsResponse};

use super::{Call, Handled, SERVED, served};
use crate::cluster::Cluster;

pub(super) fn handle(cluster: &mut Cluster, call: &Call) -> Handled {
    let ranges = |keys: &[(ApiKey, i16, i16)]| {
        let range = |(key, min, max): &(ApiKey, i16, i16)| ApiVersion {
            api_key: key.as_i16(),
            min_version: *min,
            max_version: *max,
        };
        keys.iter().map(range).collect::<Vec<_>>()
    };
    let (min, max) = served(ApiKey::ApiVersions).unwrap_or_default();
    if call.version < min || call.version > max {
        let own = ranges(&[(ApiKey::ApiVersions, min, max)]);
        let response = ApiVersionsResponse {
            error_code: ErrorCode::UNSUPPORTED_VERSION.0,
            api_keys: own,
            ..ApiVersionsResponse::default()
        };
        return Ok(call.reply_in(&response, 0, Vec::new()));
    }
    let request: ApiVersionsRequest<'_> = call.decode()?;
    let refused = if call.version >= 3
        && !(is_software_word(request.client_software_name) && is_software_word(request.client_software_version))
    {
        Some(ErrorCode::INVALID_REQUEST)
    } else if request.cluster_id.is_some_and(|id| id != cluster.cluster_id())
        || (request.node_id >= 0 && request.node_id != call.node)
    {
        // The client reached another cluster or broker than it meant to.
        Some(ErrorCode::REBOOTSTRAP_REQUIRED)
    } else {
        None
    };
    let response = match refused {
        Some(code) => ApiVersionsResponse { error_code: code.0, ..ApiVersionsResponse::default() },
        None => ApiVersionsResponse {
            api_keys: ranges(SERVED),
            finalized_features_epoch: 0,
            ..ApiVersionsResponse::default()
        },
    };
    Ok(call.reply(&response))
}

/// `[a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?` (KIP-511).
fn is_software_word(word: &str) -> bool {
    let plain = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    plain(word.as_bytes().first())
        && plain(word.as_bytes().last())
        && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.')
}
