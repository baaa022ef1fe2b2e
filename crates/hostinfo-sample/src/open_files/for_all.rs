//! What is about the host and every guest's figures need: found out once in a slot for all guests.

use std::cell::RefMut;
use std::collections::hash_map::Entry;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::{ByPath, Pool, Reader};
use crate::Moment;
use crate::root::{ATTRIBUTE_BYTES, LINE_BYTES, Unread};

/// What was found out in a slot.
#[derive(Debug, Default)]
pub(super) struct Common {
    slot: u64,
    /// Files' texts: as many as the host has lists of CPUs, which is one, and one for each node.
    texts: ByPath<Vec<u8>>,
    /// Whether there are such files: as many as there may be trees of cgroups, with three names for each.
    exist: ByPath<bool>,
    /// The processes in the cgroup that was listed last: guests that share one ask one after the other.
    members: Option<(PathBuf, Rc<[u64]>)>,
    /// The `stat` of the process that was looked at last: the second VMM that such guests find there.
    stat: Option<(u64, Vec<u8>)>,
}

impl Pool {
    /// What was found out in this slot.
    fn common(&self, at: Moment) -> RefMut<'_, Common> {
        let mut common = self.common.borrow_mut();
        if common.slot != at.slot() {
            *common = Common { slot: at.slot(), ..Common::default() };
        }
        common
    }
}

impl Reader {
    /// A file below `/sys` that is about the host: read once in the moment's slot, whoever reads it first.
    pub(crate) fn sys_for_all<'b>(
        &self,
        file: impl AsRef<Path>,
        at: Moment,
        buffer: &'b mut Vec<u8>,
    ) -> Result<&'b [u8], Unread> {
        let (path, mut common) = (self.below_sys("/", file.as_ref()), self.pool.0.common(at));
        if let Some(text) = common.texts.get(path.as_os_str()) {
            buffer.clear();
            buffer.extend_from_slice(text);
        } else {
            let text = self.read(path.clone(), ATTRIBUTE_BYTES, buffer)?;
            common.texts.insert(path.into_os_string(), text.to_owned());
        }
        Ok(buffer)
    }

    /// Whether there is such a file or folder of the host's below `/sys/fs/cgroup`: asked once in the moment's slot,
    /// whoever asks first.
    pub(crate) fn has_for_all(&self, file: impl AsRef<Path>, at: Moment) -> bool {
        let path = self.below_sys("/fs/cgroup/", file.as_ref());
        match self.pool.0.common(at).exist.entry(path.into_os_string()) {
            Entry::Occupied(exists) => *exists.get(),
            Entry::Vacant(unknown) => {
                let exists = Path::new(unknown.key()).exists();
                *unknown.insert(exists)
            }
        }
    }

    /// The processes in a cgroup, which `list` lists: once in the moment's slot for guests that share it and ask one
    /// after the other, since each of them needs to know all.
    pub(crate) fn members_for_all(
        &self,
        cgroup: &Path,
        at: Moment,
        list: impl FnOnce() -> Option<Rc<[u64]>>,
    ) -> Option<Rc<[u64]>> {
        let (path, pool) = (self.below_sys("/fs/cgroup/", cgroup), &self.pool.0);
        if let Some((_, members)) = pool.common(at).members.as_ref().filter(|(of, _)| *of == path) {
            return Some(Rc::clone(members));
        }
        let members = list()?;
        pool.common(at).members = Some((path, Rc::clone(&members)));
        Some(members)
    }

    /// The `stat` of a process that several guests look at one after the other, since it is in a cgroup that they share:
    /// read once in the moment's slot. Its file stays open, since it is looked at again and again.
    pub(crate) fn stat_for_all<'b>(
        &self,
        pid: u64,
        at: Moment,
        buffer: &'b mut Vec<u8>,
    ) -> Result<&'b [u8], Unread> {
        let pool = &self.pool.0;
        if let Some((_, text)) = pool.common(at).stat.as_ref().filter(|(of, _)| *of == pid) {
            buffer.clone_from(text);
            return Ok(buffer);
        }
        let text = self.kept(&[itoa::Buffer::new().format(pid), "/stat"], LINE_BYTES, buffer)?;
        pool.common(at).stat = Some((pid, text.to_owned()));
        Ok(text)
    }
}
