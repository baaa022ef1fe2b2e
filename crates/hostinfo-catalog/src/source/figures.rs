//! Figures that are keyed in a kernel file.

/// Creates the enum of what is read from such a file, and `KEYS`: the one table from which its
/// parser, its values and its documentation are derived. A figure without a key does not compile.
macro_rules! figures {
    ($(#[$about:meta])* $name:ident: $($figure:ident = $($key:literal)|+,)+) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name {
            $(#[doc = concat!($("`", $key, "` "),+)] $figure,)+
        }

        impl $name {
            /// The keys in the file, each with what it is or is a part of.
            pub const KEYS: [(&'static str, Self); [$($($key),+),+].len()] =
                [$($(($key, Self::$figure)),+),+];
        }
    };
}

pub(super) use figures;

#[cfg(test)]
mod tests {
    use crate::source::{Memory, Paging, PressureFigure};

    /// A look-up takes the first match.
    fn no_key_is_there_twice<K>(table: &[(&str, K)]) {
        for (at, (key, _)) in table.iter().enumerate() {
            assert_eq!(table.iter().position(|(other, _)| other == key), Some(at), "{key}");
        }
    }

    #[test]
    fn each_key_is_one_figure() {
        no_key_is_there_twice(&Memory::KEYS);
        no_key_is_there_twice(&Paging::KEYS);
        no_key_is_there_twice(&PressureFigure::KEYS);
    }
}
