//! Whether a user may use a file, by its mode and its ACL: acl(5).

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use rustix::fs::lgetxattr;

use super::user::User;

/// The bits of a permission: acl(5).
pub(crate) const READ: u16 = 4;
pub(crate) const WRITE: u16 = 2;
pub(crate) const PASS: u16 = 1;

// linux/posix_acl.h, linux/posix_acl_xattr.h
const USER_OBJ: u16 = 1;
const USER: u16 = 2;
const GROUP_OBJ: u16 = 4;
const GROUP: u16 = 8;
const MASK: u16 = 16;
const OTHER: u16 = 32;
const VERSION: [u8; 4] = 2u32.to_le_bytes();

/// The kernel's bound of an attribute: XATTR_SIZE_MAX in linux/limits.h.
const ACL_MAX: usize = 64 * 1024;

/// The attributes that hold a file's ACL, and the one that new files in a directory get.
pub(crate) const OWN: &str = "system.posix_acl_access";
pub(crate) const DEFAULT: &str = "system.posix_acl_default";

/// A line of an ACL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Entry {
    tag: u16,
    permitted: u16,
    id: u32,
}

/// An ACL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Acl(Vec<Entry>);

impl Acl {
    /// Reads one of a file; `None` if it has none.
    pub(crate) fn read(path: &Path, attribute: &str) -> Option<Self> {
        let mut bytes = vec![0; ACL_MAX];
        let length = lgetxattr(path, attribute, &mut *bytes).ok()?;
        Self::parse(bytes.get(..length)?)
    }

    /// `struct posix_acl_xattr_header` and its entries.
    fn parse(bytes: &[u8]) -> Option<Self> {
        let entries = bytes.strip_prefix(&VERSION)?.chunks_exact(8);
        let entry = |bytes: &[u8]| {
            let of = |at: usize| Some(u16::from_le_bytes(bytes.get(at..)?.first_chunk().copied()?));
            let id = u32::from_le_bytes(bytes.get(4..)?.first_chunk().copied()?);
            Some(Entry { tag: of(0)?, permitted: of(2)?, id })
        };
        entries.map(entry).collect::<Option<Vec<Entry>>>().map(Self)
    }

    /// What the mode says, for a file without an ACL.
    fn of_mode(mode: u32) -> Self {
        let bits = |shift: u32| u16::try_from(mode >> shift & 7).unwrap_or_default();
        let entry = |tag, permitted| Entry { tag, permitted, id: 0 };
        Self(vec![entry(USER_OBJ, bits(6)), entry(GROUP_OBJ, bits(3)), entry(OTHER, bits(0))])
    }

    /// Whether it names that user, and lets it do all of `wanted`.
    pub(crate) fn names(&self, user: &User, wanted: u16) -> bool {
        let of = |entry: &&Entry| entry.tag == USER && entry.id == user.uid;
        self.0.iter().find(of).is_some_and(|entry| entry.permitted & self.mask() & wanted == wanted)
    }

    /// ACCESS CHECK ALGORITHM of acl(5).
    fn permits(&self, owner: (u32, u32), user: &User, wanted: u16) -> bool {
        let can = |permitted: u16| permitted & wanted == wanted;
        let of = |tag| self.0.iter().filter(move |entry| entry.tag == tag);
        if user.uid == owner.0 {
            return of(USER_OBJ).any(|entry| can(entry.permitted));
        }
        if of(USER).any(|entry| entry.id == user.uid) {
            return self.names(user, wanted);
        }
        let is_own = |entry: &&Entry| match entry.tag {
            GROUP_OBJ => user.groups.contains(&owner.1),
            GROUP => user.groups.contains(&entry.id),
            _ => false,
        };
        let mut groups = self.0.iter().filter(is_own).peekable();
        match groups.peek() {
            Some(_) => groups.any(|entry| can(entry.permitted & self.mask())),
            None => of(OTHER).any(|entry| can(entry.permitted)),
        }
    }

    fn mask(&self) -> u16 {
        self.0.iter().find(|entry| entry.tag == MASK).map_or(7, |entry| entry.permitted)
    }
}

/// Whether the user may do all of `wanted` with a file. root may do everything.
pub(crate) fn may(user: &User, path: &Path, file: &Metadata, wanted: u16) -> bool {
    let acl = || Acl::read(path, OWN).unwrap_or_else(|| Acl::of_mode(file.mode()));
    user.uid == 0 || acl().permits((file.uid(), file.gid()), user, wanted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn user(uid: u32, groups: &[u32]) -> User {
        User { name: uid.to_string(), uid, groups: groups.to_vec() }
    }

    fn bytes(entries: &[(u16, u16, u32)]) -> Vec<u8> {
        let mut bytes = VERSION.to_vec();
        for (tag, permitted, id) in entries {
            bytes.extend(tag.to_le_bytes());
            bytes.extend(permitted.to_le_bytes());
            bytes.extend(id.to_le_bytes());
        }
        bytes
    }

    #[test]
    fn a_user_that_is_named_has_what_the_mask_leaves_of_it() {
        let acl = |mask| {
            let entries = [
                (USER_OBJ, 7, u32::MAX),
                (USER, 7, 9),
                (GROUP_OBJ, 5, u32::MAX),
                (MASK, mask, u32::MAX),
                (OTHER, 0, u32::MAX),
            ];
            Acl::parse(&bytes(&entries)).unwrap()
        };
        assert!(acl(7).permits((1, 1), &user(9, &[]), READ | WRITE));
        assert!(!acl(5).permits((1, 1), &user(9, &[]), WRITE), "QEMU was started under umask 0022");
        assert!(!acl(7).permits((1, 1), &user(8, &[]), READ));
        assert!(acl(7).permits((1, 1), &user(8, &[1]), READ | PASS));
        assert!(acl(7).names(&user(9, &[]), WRITE) && !acl(7).names(&user(8, &[]), WRITE));
    }

    #[test]
    fn without_an_acl_the_mode_decides_for_one_class_alone() {
        let mode = |mode, user: &User| Acl::of_mode(mode).permits((1, 2), user, WRITE);
        assert!(mode(0o200, &user(1, &[])) && !mode(0o022, &user(1, &[2])));
        assert!(mode(0o020, &user(3, &[2])) && !mode(0o002, &user(3, &[2])));
        assert!(mode(0o002, &user(3, &[])) && !mode(0o775, &user(3, &[])));
    }

    proptest! {
        #[test]
        fn any_bytes_are_an_acl_or_none(bytes in proptest::collection::vec(any::<u8>(), 0..64), uid: u32) {
            let bytes = [&VERSION[..], &bytes].concat();
            if let Some(acl) = Acl::parse(&bytes) {
                let _ = acl.permits((0, 0), &user(uid, &[uid]), WRITE);
            }
        }
    }
}
