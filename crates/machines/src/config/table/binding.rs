//! The keys that confluent-kafka adds in Python: callbacks, the logger, the dict of topic settings. The border takes their objects itself;
//! the table says which there are and what becomes of them.
use super::key::{Key, key};
use crate::config::{Scope::*, Type::*};

#[rustfmt::skip]
pub(super) static KEYS: &[Key] = &[
    key("default.topic.config", Both, Object, ""),
    key("logger", Both, Object, ""),
    key("oauth_cb", Both, Object, "").withheld(),
    key("on_commit", Consumer, Object, "").logged(),
    key("on_delivery", Producer, Object, ""),
];
