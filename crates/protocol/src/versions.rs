//! Which version of each API one connection uses: the highest that both sides know. Asking the broker, and what to do
//! when an API is missing, is the machines'.

use crate::api::{Api, ApiKey};
use crate::messages::api_versions::ApiVersionsResponse;

/// Room for all keys there are.
const SLOTS: usize = 128;

/// What is known of one API.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Slot {
    /// The version in use.
    used: Option<i16>,
    /// The broker's own lowest and highest version; what the user is told of.
    broker: Option<(i16, i16)>,
}

/// The versions that one connection uses.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiVersions {
    /// By key; not in place, since a connection's versions are handed about as a value.
    slots: Box<[Slot; SLOTS]>,
}

impl Default for ApiVersions {
    /// No API at all.
    fn default() -> Self {
        Self { slots: Box::new([Slot::default(); SLOTS]) }
    }
}

impl core::fmt::Debug for ApiVersions {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_map().entries(ApiKey::all().filter_map(|api| Some((api.name, self.version_for(api.key)?)))).finish()
    }
}

fn index(key: ApiKey) -> usize {
    usize::from(key.as_i16().cast_unsigned())
}

impl ApiVersions {
    /// What both sides know, by the broker's answer. Versions still being worked on are used only with
    /// `allow_unstable`.
    pub fn from_response(response: &ApiVersionsResponse<'_>, allow_unstable: bool) -> Self {
        let ranges = response.api_keys.iter().map(|range| (range.api_key, range.min_version, range.max_version));
        Self::from_ranges(ranges, allow_unstable)
    }

    /// As [`from_response`](Self::from_response), from key, lowest and highest version.
    pub fn from_ranges(ranges: impl IntoIterator<Item = (i16, i16, i16)>, allow_unstable: bool) -> Self {
        let mut all = Self::default();
        for (number, min, max) in ranges {
            // Keys of later brokers are none of ours.
            let Some(key) = ApiKey::from_i16(number) else { continue };
            let ours = if allow_unstable { key.max_version() } else { key.latest_stable_version() };
            let version = ours.min(max);
            let common = min <= max && version >= min && version >= key.min_version();
            if let Some(slot) = all.slots.get_mut(index(key)) {
                *slot = Slot { used: common.then_some(version), broker: Some((min, max)) };
            }
        }
        all
    }

    /// What this crate itself knows, as if the broker knew all of it: for tests and an embedded broker.
    pub fn ours(allow_unstable: bool) -> Self {
        let range = |api: &Api| (api.key.as_i16(), api.min_version, api.max_version);
        Self::from_ranges(ApiKey::all().map(range), allow_unstable)
    }

    /// The version in use; `None` where the broker has no such API or no version in common with us.
    #[inline]
    pub fn version_for(&self, key: ApiKey) -> Option<i16> {
        self.slots.get(index(key))?.used
    }

    /// As [`version_for`](Self::version_for), but at most `cap`: for a request that needs an older shape. `None` where
    /// the broker or this crate is not that old.
    pub fn version_up_to(&self, key: ApiKey, cap: i16) -> Option<i16> {
        let version = self.version_for(key)?.min(cap);
        let (min, _) = self.broker_range(key)?;
        (version >= min && version >= key.min_version()).then_some(version)
    }

    /// The broker's own lowest and highest version.
    pub fn broker_range(&self, key: ApiKey) -> Option<(i16, i16)> {
        self.slots.get(index(key))?.broker
    }

    /// Uses no version above `cap` from now on. Where none is left, the API counts as absent.
    pub fn cap(&mut self, key: ApiKey, cap: i16) {
        let capped = self.version_up_to(key, cap);
        if let Some(slot) = self.slots.get_mut(index(key)) {
            slot.used = capped;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::api_versions::ApiVersion;

    #[test]
    fn the_highest_common_version_is_used() {
        let ranges = [(1, 4, 11), (3, 0, 99), (0, 14, 20), (999, 0, 1), (22, 0, 6), (18, 3, 1)];
        let versions = ApiVersions::from_ranges(ranges, false);
        assert_eq!(versions.version_for(ApiKey::Fetch), Some(11));
        assert_eq!(versions.version_for(ApiKey::Metadata), Some(13));
        assert_eq!(versions.version_for(ApiKey::Produce), None, "too new for us");
        assert_eq!(versions.broker_range(ApiKey::Produce), Some((14, 20)));
        assert_eq!(versions.version_for(ApiKey::Heartbeat), None, "not in the answer");
        assert_eq!(versions.version_for(ApiKey::InitProducerId), Some(5), "6 is not stable");
        assert_eq!(versions.version_for(ApiKey::ApiVersions), None, "an empty range");
        assert_eq!(ApiVersions::from_ranges(ranges, true).version_for(ApiKey::InitProducerId), Some(6));
    }

    #[test]
    fn a_response_and_caps() {
        let api_keys = vec![ApiVersion { api_key: 1, min_version: 4, max_version: 18 }];
        let response = ApiVersionsResponse { api_keys, ..Default::default() };
        let mut versions = ApiVersions::from_response(&response, false);
        assert_eq!(versions.version_up_to(ApiKey::Fetch, 12), Some(12));
        assert_eq!(versions.version_up_to(ApiKey::Fetch, 3), None);
        versions.cap(ApiKey::Fetch, 12);
        assert_eq!(versions.version_for(ApiKey::Fetch), Some(12));
        versions.cap(ApiKey::Fetch, 3);
        assert_eq!(versions.version_for(ApiKey::Fetch), None);
    }

    #[test]
    fn every_key_has_its_slot() {
        let versions = ApiVersions::ours(false);
        for api in ApiKey::all() {
            assert_eq!(versions.version_for(api.key), Some(api.key.latest_stable_version()));
        }
    }
}
