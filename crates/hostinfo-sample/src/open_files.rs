//! Files of guests and of the host that stay open from one sample to the next: opening and closing a file takes
//! six times as long as reading it.
//!
//! Only the kernel's own files stay open, because they show when their subject is gone: the file of a process
//! or thread that ended, of a cgroup that was removed, or of a CPU that went offline, can no longer be read, even
//! if something else has its name by then. It is then opened again by name. A plain file could be read forever,
//! whatever took its name.

mod buffer;
mod for_all;

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::ffi::OsString;
use std::fs::File;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use hostinfo_wire::limits::{FILES_LEFT, OPEN_FILES_EACH, OPEN_FILES_MAX, OPEN_FILES_OF_HOST};
use lru::LruCache;
use rustix::fs::{FsWord, fstatfs};

use crate::Roots;
use crate::root::{ATTRIBUTE_BYTES, FIXED_BYTES, Unread, read_file, read_from_start, within};

pub(crate) use buffer::Buffer;
use for_all::Common;

/// The open files of the host and all guests together. The files of whichever was read least recently are closed
/// first.
#[derive(Clone, Debug)]
pub struct OpenFiles(Rc<Pool>);

/// A path as it is, since to take it apart for every look-up takes longer than to find it.
type ByPath<T> = HashMap<OsString, T, lru::DefaultHasher>;

#[derive(Debug)]
struct Pool {
    most: usize,
    /// How many are open.
    count: Cell<usize>,
    /// The files of each reader.
    of: RefCell<LruCache<u64, ByPath<File>>>,
    /// The number of the next reader.
    next: Cell<u64>,
    common: RefCell<Common>,
    /// The memory of a [`Buffer`] that nobody uses.
    spare: RefCell<Vec<u8>>,
}

impl OpenFiles {
    /// As many as may stay open in a process that may have `limit` files (`RLIMIT_NOFILE`); none if guests may
    /// need them for their sockets.
    pub fn within(limit: u64) -> Self {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        Self::at_most(limit.saturating_sub(FILES_LEFT).min(OPEN_FILES_MAX))
    }

    fn at_most(most: usize) -> Self {
        Self(Rc::new(Pool {
            most,
            count: Cell::new(0),
            of: RefCell::new(LruCache::unbounded()),
            next: Cell::new(0),
            common: RefCell::default(),
            spare: RefCell::default(),
        }))
    }
}

impl Default for OpenFiles {
    /// As many as are ever kept open for one guest.
    fn default() -> Self {
        Self::at_most(OPEN_FILES_EACH)
    }
}

impl Pool {
    /// Reads a file that is open. `None` if it is not open, or can no longer be read and was closed.
    fn read(&self, reader: u64, path: &Path, most: usize, buffer: &mut Vec<u8>) -> Option<()> {
        let mut of = self.of.borrow_mut();
        let files = of.get_mut(&reader)?;
        let file = files.get(path.as_os_str())?;
        if read_from_start(file, most, buffer).is_ok() {
            return Some(());
        }
        files.remove(path.as_os_str());
        self.count.set(self.count.get().saturating_sub(1));
        None
    }

    /// Keeps a file open, and closes others if there are too many: the reader may have `most_each`.
    fn keep(&self, reader: u64, most_each: usize, path: PathBuf, file: File) {
        let mut of = self.of.borrow_mut();
        let files = of.get_or_insert_mut(reader, HashMap::default);
        // Files of threads that ended pile up here, since nobody reads them again and finds them gone.
        if files.len() >= most_each {
            self.count.set(self.count.get().saturating_sub(files.len()));
            files.clear();
        }
        files.insert(path.into_os_string(), file);
        self.count.set(self.count.get().saturating_add(1));
        while self.count.get() > self.most {
            let Some((_, files)) = of.pop_lru() else { break };
            self.count.set(self.count.get().saturating_sub(files.len()));
        }
    }

    fn close_all(&self, reader: u64) {
        let closed = self.of.borrow_mut().pop(&reader).map_or(0, |files| files.len());
        self.count.set(self.count.get().saturating_sub(closed));
    }
}

/// `/sys/fs/cgroup/machine.slice/machine-qemu\x2d1\x2dweb.scope/memory.pressure` has 75 bytes.
const PATH: usize = 96;

/// A guest's access to its files, or the host's to its own. A clone starts with none of them open.
#[derive(Debug)]
pub(crate) struct Reader {
    roots: Roots,
    pool: OpenFiles,
    /// How many files it may keep open.
    most: usize,
    number: u64,
    opened: Cell<u64>,
}

impl Reader {
    /// Of a guest.
    pub(crate) fn new(roots: Roots, pool: OpenFiles) -> Self {
        Self::at_most(OPEN_FILES_EACH, roots, pool)
    }

    /// Of the host.
    pub(crate) fn of_host(roots: Roots, pool: OpenFiles) -> Self {
        Self::at_most(OPEN_FILES_OF_HOST, roots, pool)
    }

    fn at_most(most: usize, roots: Roots, pool: OpenFiles) -> Self {
        let number = pool.0.next.get();
        pool.0.next.set(number.wrapping_add(1));
        Self { roots, pool, most, number, opened: Cell::new(0) }
    }

    /// How often a file was opened by its name. If that did not change, everything was read from files that
    /// were open before.
    pub(crate) fn opened(&self) -> u64 {
        self.opened.get()
    }

    /// Memory to read files into, empty or not.
    pub(crate) fn buffer(&self) -> Buffer {
        Buffer::of(&self.pool)
    }

    /// All of a file below `/proc` that is read again and again: see [`Roots::proc`]. Its name is given in parts.
    pub(crate) fn kept<'b>(
        &self,
        file: &[&str],
        bound: usize,
        buffer: &'b mut Vec<u8>,
    ) -> Result<&'b [u8], Unread> {
        self.read(self.below_proc(file), bound, buffer)
    }

    /// All of a file below `/proc` that is not read again soon, and does not stay open.
    pub(crate) fn once<'b>(
        &self,
        file: &[&str],
        bound: usize,
        buffer: &'b mut Vec<u8>,
    ) -> Result<&'b [u8], Unread> {
        self.opened.set(self.opened.get().wrapping_add(1));
        let path = self.below_proc(file);
        match read_file(&path, bound.saturating_add(1), buffer) {
            Ok(_) => within(bound, path, buffer),
            Err(error) => Err(Unread { path, error }),
        }
    }

    /// A file of a cgroup, below `/sys/fs/cgroup`, in `buffer`.
    pub(crate) fn cgroup<'b>(
        &self,
        file: impl AsRef<Path>,
        buffer: &'b mut Vec<u8>,
    ) -> Result<&'b [u8], Unread> {
        self.read(self.below_sys("/fs/cgroup/", file.as_ref()), FIXED_BYTES, buffer)
    }

    /// See [`Roots::sys`].
    pub(crate) fn sys<'b>(
        &self,
        file: impl AsRef<Path>,
        buffer: &'b mut Vec<u8>,
    ) -> Result<&'b [u8], Unread> {
        self.read(self.below_sys("/", file.as_ref()), ATTRIBUTE_BYTES, buffer)
    }

    /// A file of a CPU, below `/sys/devices/system/cpu/cpuN`.
    pub(crate) fn of_cpu<'b>(
        &self,
        cpu: u32,
        file: &str,
        buffer: &'b mut Vec<u8>,
    ) -> Result<&'b [u8], Unread> {
        let mut path = OsString::with_capacity(PATH);
        path.push(&self.roots.sys);
        for part in ["/devices/system/cpu/cpu", itoa::Buffer::new().format(cpu), "/", file] {
            path.push(part);
        }
        self.read(path.into(), ATTRIBUTE_BYTES, buffer)
    }

    fn below_proc(&self, file: &[&str]) -> PathBuf {
        let mut path = OsString::with_capacity(PATH);
        path.push(&self.roots.proc);
        path.push("/");
        file.iter().for_each(|part| path.push(part));
        path.into()
    }

    fn below_sys(&self, folder: &str, file: &Path) -> PathBuf {
        let mut path = OsString::with_capacity(PATH);
        for part in [self.roots.sys.as_os_str(), folder.as_ref(), file.as_os_str()] {
            path.push(part);
        }
        path.into()
    }

    fn read<'b>(
        &self,
        path: PathBuf,
        bound: usize,
        buffer: &'b mut Vec<u8>,
    ) -> Result<&'b [u8], Unread> {
        let (pool, most) = (&self.pool.0, bound.saturating_add(1));
        if pool.read(self.number, &path, most, buffer).is_some() {
            return within(bound, path, buffer);
        }
        self.opened.set(self.opened.get().wrapping_add(1));
        let file = match read_file(&path, most, buffer) {
            Ok(file) => file,
            Err(error) => return Err(Unread { path, error }),
        };
        if pool.most > 0 && is_kernels(&file) {
            pool.keep(self.number, self.most, path.clone(), file);
        }
        within(bound, path, buffer)
    }
}

impl Deref for Reader {
    type Target = Roots;

    fn deref(&self) -> &Roots {
        &self.roots
    }
}

impl Default for Reader {
    fn default() -> Self {
        Self::of_host(Roots::default(), OpenFiles::default())
    }
}

impl Clone for Reader {
    fn clone(&self) -> Self {
        Self::at_most(self.most, self.roots.clone(), self.pool.clone())
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.pool.0.close_all(self.number);
    }
}

/// Whether it is a file of procfs, of a cgroup or of sysfs: statfs(2), `linux/magic.h`.
fn is_kernels(file: &File) -> bool {
    const PROC: FsWord = 0x9fa0;
    const CGROUP: FsWord = 0x0027_e0eb;
    const CGROUP2: FsWord = 0x6367_7270;
    const SYSFS: FsWord = 0x6265_6572;
    fstatfs(file).is_ok_and(|system| [PROC, CGROUP, CGROUP2, SYSFS].contains(&system.f_type))
}

#[cfg(test)]
mod tests;
