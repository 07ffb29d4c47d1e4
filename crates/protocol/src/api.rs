//! The APIs of Kafka: keys, names, versions, and which header goes with which version. What a broker supports of them
//! is `versions`'s.

mod table;

pub use table::ApiKey;

/// What the definitions say of one API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Api {
    /// The key on the wire.
    pub key: ApiKey,
    /// Kafka's name, such as `Fetch`.
    pub name: &'static str,
    /// The lowest version that this crate writes and reads.
    pub min_version: i16,
    /// The highest version that this crate writes and reads, whether stable or not.
    pub max_version: i16,
    /// The first version with compact lengths and tagged fields; `None` where no version has them.
    pub first_flexible: Option<i16>,
    /// Whether the highest version is still being worked on, so that it is used only where asked for.
    pub latest_unstable: bool,
}

impl ApiKey {
    /// The API of a number from the wire; `None` for one that is not known.
    pub fn from_i16(key: i16) -> Option<Self> {
        let index = table::APIS.binary_search_by_key(&key, |api| api.key.as_i16()).ok()?;
        table::APIS.get(index).map(|api| api.key)
    }

    /// The number on the wire.
    #[inline]
    pub const fn as_i16(self) -> i16 {
        self as i16
    }

    /// All APIs, in the order of their keys.
    pub fn all() -> impl ExactSizeIterator<Item = &'static Api> {
        table::APIS.iter()
    }

    /// What is known of this API.
    pub fn api(self) -> &'static Api {
        match table::APIS.binary_search_by_key(&self, |api| api.key) {
            Ok(index) => &table::APIS[index],
            // The table has a row for each variant: both are written in one run, and a test reads all.
            Err(_) => unreachable!("{self:?} has no row"),
        }
    }

    /// Kafka's name, such as `Fetch`.
    pub fn name(self) -> &'static str {
        self.api().name
    }

    /// The lowest version that this crate writes and reads.
    pub fn min_version(self) -> i16 {
        self.api().min_version
    }

    /// The highest version that this crate writes and reads, whether stable or not.
    pub fn max_version(self) -> i16 {
        self.api().max_version
    }

    /// The highest version to use without being asked for a newer one.
    pub fn latest_stable_version(self) -> i16 {
        let api = self.api();
        api.max_version - i16::from(api.latest_unstable)
    }

    /// Whether the version has compact lengths and tagged fields (KIP-482).
    pub fn is_flexible(self, version: i16) -> bool {
        self.api().first_flexible.is_some_and(|first| version >= first)
    }

    /// The version of the header in front of a request: 1, or 2 where it is flexible.
    pub fn request_header_version(self, version: i16) -> i16 {
        if self.is_flexible(version) { 2 } else { 1 }
    }

    /// The version of the header in front of a response: 0, or 1 where it is flexible. That of ApiVersions is always
    /// 0, for a client must read it before it knows what the broker speaks (KIP-511).
    pub fn response_header_version(self, version: i16) -> i16 {
        i16::from(self != Self::ApiVersions && self.is_flexible(version))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_finds_its_row_and_the_number_its_key() {
        for api in ApiKey::all() {
            assert_eq!(api.key.api(), api);
            assert_eq!(ApiKey::from_i16(api.key.as_i16()), Some(api.key));
            assert!(api.min_version <= api.key.latest_stable_version(), "{}", api.name);
        }
        assert_eq!(ApiKey::all().len(), 91);
        assert_eq!(ApiKey::from_i16(-1), None);
        assert_eq!(ApiKey::from_i16(4), None, "LeaderAndIsr is gone with ZooKeeper");
    }

    #[test]
    fn headers_follow_flexibility_but_for_api_versions() {
        assert_eq!(ApiKey::Fetch.request_header_version(11), 1);
        assert_eq!(ApiKey::Fetch.request_header_version(12), 2);
        assert_eq!(ApiKey::Fetch.response_header_version(12), 1);
        assert_eq!(ApiKey::ApiVersions.request_header_version(3), 2);
        assert_eq!(ApiKey::ApiVersions.response_header_version(3), 0);
        assert_eq!(ApiKey::SaslHandshake.request_header_version(1), 1);
    }

    #[test]
    fn an_unstable_version_is_not_the_latest_stable_one() {
        assert_eq!(ApiKey::InitProducerId.max_version(), 6);
        assert_eq!(ApiKey::InitProducerId.latest_stable_version(), 5);
        assert_eq!(ApiKey::Fetch.latest_stable_version(), 18);
    }
}
