//! What a row of the table is. How a value is read from text, and what it becomes, is left to each face's parser.

/// Which clients a key is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Every client.
    Both,
    /// Consumers; producers and admin clients ignore it with a line in the log.
    Consumer,
    /// Producers; consumers ignore it with a line in the log.
    Producer,
}

/// Where librdkafka keeps a property. Its topic properties are taken at top level too, where a global one of the same name goes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Section {
    /// Of the client.
    Global,
    /// Of each topic.
    Topic,
}

/// What a value may be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Type {
    /// True or false.
    Boolean,
    /// An integer of this range, both ends included.
    Integer(i64, i64),
    /// A number of this range, both ends included.
    Float(i64, i64),
    /// One of these words, in any case.
    Enum(&'static [&'static str]),
    /// Any of these words, in any case, with commas between.
    Flags(&'static [&'static str]),
    /// Any text.
    Text,
    /// Regular expressions with commas between.
    PatternList,
    /// Something that librdkafka takes through its C interface, or the binding as a callable.
    Callback,
    /// Something that librdkafka sets for itself.
    Internal,
    /// An object of Python that only the binding takes.
    Object,
}

/// What becomes of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// It does what it does in the original.
    Served,
    /// It is checked and then ignored: here it can have no effect, because.
    NoEffect(&'static str),
    /// It is known and not served yet.
    NotYet {
        /// It changes what is sent, stored or trusted: set to other than its default it is refused. Else it is logged once.
        changes_data: bool,
    },
    /// Set to other than its default it is refused for good, because.
    Refused(&'static str),
}

/// A key as one face shows it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Column {
    /// The key.
    pub name: &'static str,
    /// The key that this one is another name of.
    pub alias_of: Option<&'static str>,
    /// Where librdkafka keeps it.
    pub section: Section,
    /// What a value may be.
    pub kind: Type,
    /// The default as text; `None` where nothing is set.
    pub default: Option<&'static str>,
    /// Whether the original calls it deprecated.
    pub deprecated: bool,
    /// What becomes of it.
    pub status: Status,
}

/// A row: what holds for a key in every face, and the columns of the faces (those of the other faces follow with them).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Key {
    /// Which clients it is for.
    pub scope: Scope,
    /// It is never shown: not in logs, not in errors.
    pub secret: bool,
    /// What `ottla.confluent_kafka` shows.
    pub confluent: Column,
}

/// A served key with a default, `""` for none; the methods below change what is unlike that.
pub(super) const fn key(name: &'static str, scope: Scope, kind: Type, default: &'static str) -> Key {
    let default = if default.is_empty() { None } else { Some(default) };
    let section = Section::Global;
    let confluent = Column { name, alias_of: None, section, kind, default, deprecated: false, status: Status::Served };
    Key { scope, secret: false, confluent }
}

impl Key {
    pub(super) const fn topic(mut self) -> Self {
        self.confluent.section = Section::Topic;
        self
    }

    pub(super) const fn alias_of(mut self, name: &'static str) -> Self {
        self.confluent.alias_of = Some(name);
        self
    }

    pub(super) const fn deprecated(mut self) -> Self {
        self.confluent.deprecated = true;
        self
    }

    pub(super) const fn secret(mut self) -> Self {
        self.secret = true;
        self
    }

    /// Not served yet; logged once where it is set.
    pub(super) const fn logged(self) -> Self {
        self.status(Status::NotYet { changes_data: false })
    }

    /// Not served yet; refused where it is set.
    pub(super) const fn withheld(self) -> Self {
        self.status(Status::NotYet { changes_data: true })
    }

    pub(super) const fn no_effect(self, because: &'static str) -> Self {
        self.status(Status::NoEffect(because))
    }

    pub(super) const fn refused(self, because: &'static str) -> Self {
        self.status(Status::Refused(because))
    }

    const fn status(mut self, status: Status) -> Self {
        self.confluent.status = status;
        self
    }
}
