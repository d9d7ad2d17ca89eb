//! Strict semantic versions, how they are ordered, and what a version's standing is.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::invalid::{InvalidInput, quoted};

/// A version: exactly `major.minor.patch`, without leading zeros, pre-release or build part, 20 characters at most.
///
/// The order is the precedence of Semantic Versioning 2.0.0, section 11: by numbers, never by text. There is neither a
/// pre-release nor build metadata, so that equality and precedence agree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Version {
    // The derived order compares the fields in this sequence.
    major: u64,
    minor: u64,
    patch: u64,
}

impl Version {
    /// The longest version, in characters. With two dots and two more digits it leaves 16 digits to a number, which
    /// always fit into a `bigint` of the database.
    pub const MAX_LENGTH: usize = 20;

    /// What an agent starts with.
    pub const FIRST: Self = Self { major: 1, minor: 0, patch: 0 };

    /// The version of these three numbers.
    ///
    /// # Errors
    /// When its text would be longer than [`Self::MAX_LENGTH`].
    pub fn new(major: u64, minor: u64, patch: u64) -> Result<Self, InvalidInput> {
        let version = Self { major, minor, patch };
        if version.to_string().len() > Self::MAX_LENGTH {
            return Err(invalid(&version.to_string(), "it is longer than 20 characters"));
        }
        Ok(version)
    }

    /// The first number: raised by a breaking change.
    pub fn major(self) -> u64 {
        self.major
    }

    /// The second number: raised by a new capability.
    pub fn minor(self) -> u64 {
        self.minor
    }

    /// The third number: raised by a fix.
    pub fn patch(self) -> u64 {
        self.patch
    }

    /// The version that follows directly by `bump`, whether or not it is in use already.
    ///
    /// # Errors
    /// When the number would be longer than [`Self::MAX_LENGTH`].
    pub fn next(self, bump: Bump) -> Result<Self, InvalidInput> {
        match bump {
            Bump::Major => Self::new(self.major + 1, 0, 0),
            Bump::Minor => Self::new(self.major, self.minor + 1, 0),
            Bump::Patch => Self::new(self.major, self.minor, self.patch + 1),
        }
    }
}

impl FromStr for Version {
    type Err = InvalidInput;

    fn from_str(text: &str) -> Result<Self, InvalidInput> {
        if text.len() > Self::MAX_LENGTH {
            return Err(invalid(text, "it is longer than 20 characters"));
        }
        let parsed = semver::Version::parse(text)
            .map_err(|_| invalid(text, "it is not three whole numbers without leading zeros"))?;
        if !parsed.pre.is_empty() || !parsed.build.is_empty() {
            return Err(invalid(text, "it has a pre-release or build part"));
        }
        Self::new(parsed.major, parsed.minor, parsed.patch)
    }
}

fn invalid(text: &str, reason: &str) -> InvalidInput {
    InvalidInput::new(
        "version",
        "invalid_version",
        format!(
            "{} is not a version: {reason}. A version is major.minor.patch and nothing else, such as 1.4.0.",
            quoted(text)
        ),
    )
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

impl TryFrom<String> for Version {
    type Error = InvalidInput;

    fn try_from(text: String) -> Result<Self, InvalidInput> {
        text.parse()
    }
}

impl From<Version> for String {
    fn from(version: Version) -> Self {
        version.to_string()
    }
}

/// Which number a change raises.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bump {
    /// A breaking change of the prompt's structure or behaviour.
    Major,
    /// A new capability or guideline; what worked goes on working.
    Minor,
    /// A fix, a typo, a clarification.
    Patch,
}

/// Where a version stands towards the active one of its agent. Derived, never stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum VersionStatus {
    /// The one that agents are served.
    Active,
    /// Above the active version (or nothing is active yet): it can be promoted.
    Draft,
    /// Below the active version, whether it was ever live or not: its text can only be reissued.
    Superseded,
}

impl VersionStatus {
    /// The standing of `version` when `active` is the active one.
    pub fn of(version: Version, active: Option<Version>) -> Self {
        match active {
            None => Self::Draft,
            Some(active) => match version.cmp(&active) {
                std::cmp::Ordering::Equal => Self::Active,
                std::cmp::Ordering::Greater => Self::Draft,
                std::cmp::Ordering::Less => Self::Superseded,
            },
        }
    }

    /// `active`, `draft` or `superseded`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Draft => "draft",
            Self::Superseded => "superseded",
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn version(text: &str) -> Version {
        text.parse().unwrap()
    }

    #[test]
    fn takes_only_three_plain_numbers() {
        for text in ["0.0.0", "1.0.0", "10.20.30", "9999999999999999.0.0"] {
            assert_eq!(version(text).to_string(), text);
        }
        for text in [
            "",
            "1",
            "1.0",
            "1.0.0.0",
            "01.0.0",
            "1.00.0",
            "1.0.0-rc1",
            "1.0.0+build",
            " 1.0.0",
            "1.0.0 ",
            "v1.0.0",
            "1.0.x",
            "1..0",
            "-1.0.0",
            "+1.0.0",
            "1.0.0\n",
            "1,0,0",
            "１.0.0",
            "99999999999999999999.0.0",
            "99999999999999999.0.0",
        ] {
            let refusal = text.parse::<Version>().unwrap_err();
            assert_eq!((refusal.field, refusal.code), ("version", "invalid_version"), "{text:?}");
        }
    }

    #[test]
    fn is_ordered_by_numbers_and_not_by_text() {
        let mut versions = ["1.10.0", "1.9.0", "10.0.0", "2.0.0", "1.0.10", "1.0.9"].map(version);
        versions.sort();
        assert_eq!(
            versions.map(|version| version.to_string()),
            ["1.0.9", "1.0.10", "1.9.0", "1.10.0", "2.0.0", "10.0.0"]
        );
    }

    #[test]
    fn a_number_that_no_longer_fits_is_refused() {
        let last = version("9999999999999999.0.9");
        assert!(last.next(Bump::Patch).is_err());
        assert!(last.next(Bump::Minor).is_ok());
        assert!(version("9999999999999999.0.0").next(Bump::Major).is_err());
    }

    #[test]
    fn status_follows_the_active_version() {
        let active = Some(version("1.2.0"));
        assert_eq!(VersionStatus::of(version("1.2.0"), active), VersionStatus::Active);
        assert_eq!(VersionStatus::of(version("1.10.0"), active), VersionStatus::Draft);
        assert_eq!(VersionStatus::of(version("1.1.9"), active), VersionStatus::Superseded);
        assert_eq!(VersionStatus::of(version("0.0.1"), None), VersionStatus::Draft);
    }

    prop_compose! {
        fn any_version()(major in 0..200_u64, minor in 0..200_u64, patch in 0..200_u64) -> Version {
            Version::new(major, minor, patch).unwrap()
        }
    }

    proptest! {
        #[test]
        fn text_and_back_is_the_same(version in any_version()) {
            prop_assert_eq!(version.to_string().parse::<Version>().unwrap(), version);
        }

        #[test]
        fn any_text_is_either_refused_or_kept_as_it_is(text in "[0-9.+a-z -]{0,24}") {
            if let Ok(version) = text.parse::<Version>() {
                prop_assert_eq!(version.to_string(), text);
            }
        }

        #[test]
        fn the_order_is_that_of_the_semver_crate(one in any_version(), other in any_version()) {
            let semver = |version: Version| semver::Version::new(version.major(), version.minor(), version.patch());
            prop_assert_eq!(one.cmp(&other), semver(one).cmp_precedence(&semver(other)));
        }

        #[test]
        fn every_bump_goes_up(version in any_version()) {
            for bump in [Bump::Major, Bump::Minor, Bump::Patch] {
                prop_assert!(version.next(bump).unwrap() > version);
            }
        }
    }
}
