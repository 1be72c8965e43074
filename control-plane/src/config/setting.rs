//! How a setting is defined: one line in a section gives the field, its parser, its default and its
//! line in the documentation.

use super::reader::Reader;

/// What a setting looks like from outside, for the documentation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    Text,
    Whole,
    Flag,
    /// An array of texts; separated by commas in an environment variable.
    List,
    /// Text, or the name of a file that holds it under `key_file`.
    Secret,
}

/// A setting as documented.
#[derive(Debug, Clone, Copy)]
pub(super) struct Definition {
    pub(super) key: &'static str,
    pub(super) shape: Shape,
    pub(super) default: Option<&'static str>,
    pub(super) required: bool,
    /// The doc comment, a line each.
    pub(super) documentation: &'static [&'static str],
}

/// A section as documented. The nameless one holds the keys at the top of the file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Section {
    pub(super) name: &'static str,
    pub(super) documentation: &'static [&'static str],
    pub(super) settings: &'static [Definition],
}

impl Section {
    /// `section.key`, as it stands in messages.
    pub(super) fn path(&self, key: &str) -> String {
        path(self.name, key)
    }
}

pub(super) fn path(section: &str, key: &str) -> String {
    if section.is_empty() {
        key.to_owned()
    } else {
        format!("{section}.{key}")
    }
}

/// A type that a setting can have.
pub(super) trait Setting: Sized {
    const SHAPE: Shape;
    /// Whether there must be a value when there is no default.
    const REQUIRED: bool = true;

    /// The value at `path`, else `default`. `None` after having noted a mistake.
    fn read(reader: &mut Reader, path: &str, default: Option<&'static str>) -> Option<Self>;
}

/// Defines a section: a struct with typed fields, its reader and its documentation.
macro_rules! section {
    (
        $(#[doc = $section_doc:literal])*
        $name:ident = $section:literal {
            $(
                $(#[doc = $doc:literal])*
                $field:ident: $type:ty $(= $default:literal)?,
            )*
        }
    ) => {
        $(#[doc = $section_doc])*
        #[derive(Debug, Clone)]
        pub struct $name {
            $($(#[doc = $doc])* pub $field: $type,)*
        }

        impl $name {
            pub(super) const SECTION: $crate::config::setting::Section =
                $crate::config::setting::Section {
                    name: $section,
                    documentation: &[$($section_doc),*],
                    settings: &[$(
                        $crate::config::setting::Definition {
                            key: stringify!($field),
                            shape: <$type as $crate::config::setting::Setting>::SHAPE,
                            default: $crate::config::setting::section!(@default $($default)?),
                            required: <$type as $crate::config::setting::Setting>::REQUIRED,
                            documentation: &[$($doc),*],
                        },
                    )*],
                };

            fn read(reader: &mut $crate::config::reader::Reader) -> Option<Self> {
                // All fields are read before the first missing one gives up: that is what makes the
                // list of mistakes complete.
                $(
                    let $field = <$type as $crate::config::setting::Setting>::read(
                        reader,
                        &Self::SECTION.path(stringify!($field)),
                        $crate::config::setting::section!(@default $($default)?),
                    );
                )*
                Some(Self { $($field: $field?,)* })
            }
        }
    };
    (@default) => { None };
    (@default $default:literal) => { Some($default) };
}

pub(super) use section;
