//! Enums that are words: one list gives the wire and database text, the parser and the full set.

/// A word that names no variant of the enum it was read as.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{found:?} is no {kind}; known are: {known}")]
pub struct UnknownWord {
    pub kind: &'static str,
    pub found: String,
    pub known: String,
}

macro_rules! text_enum {
    ($(#[$doc:meta])* $vis:vis enum $name:ident { $($(#[$vdoc:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
        $vis enum $name {
            $($(#[$vdoc])* #[serde(rename = $word)] $variant,)*
        }

        impl $name {
            /// Every variant, in the order of declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The word on the wire and in the database.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)*
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::UnknownWord;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::ALL.iter().copied().find(|it| it.as_str() == text).ok_or_else(|| {
                    $crate::UnknownWord {
                        kind: stringify!($name),
                        found: text.to_owned(),
                        known: Self::ALL.iter().map(|it| it.as_str()).collect::<Vec<_>>().join(", "),
                    }
                })
            }
        }

        $crate::column::text_column!($name);
    };
}

pub(crate) use text_enum;
