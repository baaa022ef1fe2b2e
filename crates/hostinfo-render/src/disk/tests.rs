use super::*;
use crate::vhostmd::EMPTY;
use proptest::collection::vec;
use proptest::prelude::*;

/// A file between two steps.
#[derive(Clone)]
struct File(Vec<u8>);

impl File {
    fn apply(&mut self, step: &Step) {
        let at = usize::try_from(step.offset).unwrap();
        self.0[at..at + step.bytes.len()].copy_from_slice(&step.bytes);
    }

    /// A reader with O_DIRECT: from the beginning, in blocks of 64 KiB.
    fn read(&self, offset: usize, length: usize) -> Option<&[u8]> {
        const BLOCK: usize = 64 * 1024;
        let blocks = self.0.get(..(offset + length).div_ceil(BLOCK) * BLOCK)?;
        blocks.get(offset..offset + length)
    }

    fn header(&self) -> [u32; 4] {
        let bytes = self.read(0, HEADER).unwrap();
        std::array::from_fn(|at| u32::from_be_bytes(bytes[at * 4..][..4].try_into().unwrap()))
    }
}

/// What vm-dump-metrics accepts as complete, if the file was `before` at its first look, `during`
/// when it read the content, and `after` at its second look.
fn dump<'a>(before: &File, during: &'a File, after: &File) -> Option<&'a [u8]> {
    let [signature, busy, checksum, length] = before.header();
    if signature != 0x6d76_6264 || busy != 0 {
        return None;
    }
    let content = during.read(HEADER, usize::try_from(length).unwrap())?;
    let [_, busy, now, _] = after.header();
    (busy == 0 && now == checksum).then_some(content)
}

fn written(disk: &mut Disk, file: &mut File, document: &str) -> Vec<File> {
    let steps = disk.update(document).unwrap();
    steps
        .iter()
        .map(|step| {
            file.apply(step);
            file.clone()
        })
        .collect()
}

fn new() -> (Disk, File) {
    (Disk::new(), File(vec![0; SIZE]))
}

fn document(value: &str) -> String {
    format!("<metrics>\n<value>{value}</value>\n</metrics>\n\n")
}

#[test]
fn the_bytes_are_those_of_vhostmd() {
    let (mut disk, mut file) = new();
    written(&mut disk, &mut file, EMPTY);
    let content = b"<metrics>\n</metrics>\n";
    let sum: u32 = content.iter().map(|byte| u32::from(*byte)).sum();
    assert_eq!(&file.0[..8], b"mvbd\0\0\0\0");
    assert_eq!(file.0[8..12], sum.to_be_bytes());
    assert_eq!(file.0[12..16], [0, 0, 0, 21]);
    assert_eq!(&file.0[16..37], content);
    assert!(file.0[37..].iter().all(|byte| *byte == 0));
}

#[test]
fn after_a_failed_step_a_reader_finds_nothing_and_neither_waits_nor_takes_a_mixture() {
    for first in [EMPTY.to_owned(), document("12")] {
        for failing in 0..4 {
            let (mut disk, mut file) = new();
            written(&mut disk, &mut file, &first);
            let mut moments = vec![file.clone()];
            let steps = disk.update(&document(&"7".repeat(9000))).unwrap();
            for step in &steps[..failing] {
                file.apply(step);
                moments.push(file.clone());
            }
            // The beginning of the failing step may have been written.
            let bytes = steps[failing].bytes[..steps[failing].bytes.len() / 2].to_vec();
            file.apply(&Step { bytes, ..steps[failing] });
            moments.push(file.clone());
            for step in disk.give_up() {
                file.apply(&step);
                moments.push(file.clone());
            }
            let seen = dump(&file, &file, &file).unwrap();
            assert_eq!(String::from_utf8_lossy(seen).trim_end(), EMPTY.trim_end());
            for during in &moments {
                let mixed = dump(&moments[0], during, &file);
                assert!(mixed.is_none_or(|content| moments[0].0[HEADER..].starts_with(content)));
            }
        }
    }
}

#[test]
fn a_reader_never_takes_a_mixture_for_whole() {
    // The second has the checksum of the first, the third is shorter, the fourth longer.
    let documents = [document("12"), document("21"), document("3"), document("1234")];
    let (mut disk, mut file) = new();
    let mut moments = vec![file.clone()];
    for document in &documents {
        moments.extend(written(&mut disk, &mut file, document));
    }
    let mut read = 0;
    for (at, before) in moments.iter().enumerate() {
        for (at, during) in moments.iter().enumerate().skip(at) {
            for after in &moments[at..] {
                let Some(content) = dump(before, during, after) else { continue };
                let text = std::str::from_utf8(content).unwrap().trim_end();
                assert!(documents.iter().any(|document| document.trim_end() == text), "{text}");
                read += 1;
            }
        }
    }
    assert_eq!(read, documents.len());
}

#[test]
fn each_document_has_another_checksum_than_the_one_before() {
    let (mut disk, mut file) = new();
    let mut before = None;
    for value in ["12", "21", "12", "12", "21", "30", "30"] {
        written(&mut disk, &mut file, &document(value));
        let checksum = file.header()[2];
        assert_ne!(before.replace(checksum), Some(checksum), "{value}");
    }
}

#[test]
fn nothing_is_left_of_a_longer_document() {
    let (mut disk, mut file) = new();
    written(&mut disk, &mut file, &document(&"secret".repeat(20_000)));
    let steps = written(&mut disk, &mut file, EMPTY).len();
    assert_eq!(steps, 4);
    assert!(file.0[HEADER + EMPTY.len()..].iter().all(|byte| *byte == 0));
}

#[test]
fn an_update_of_a_short_document_writes_less_than_100_bytes() {
    let (mut disk, mut file) = new();
    written(&mut disk, &mut file, &document("1"));
    let steps = disk.update(&document("2")).unwrap();
    assert!(steps.iter().map(|step| step.bytes.len()).sum::<usize>() < 100);
}

#[test]
fn the_first_update_heals_what_a_crash_left_behind() {
    let (mut disk, mut file) = (Disk::new(), File(vec![0xAA; SIZE]));
    file.apply(&words(SIGNATURE_AT, &[SIGNATURE, 1]));
    written(&mut disk, &mut file, EMPTY);
    assert_eq!(dump(&file, &file, &file).unwrap(), b"<metrics>\n</metrics>\n");
    assert!(file.0[HEADER + EMPTY.len()..].iter().all(|byte| *byte == 0));
}

#[test]
fn a_document_that_does_not_fit_changes_nothing() {
    let (mut disk, mut file) = new();
    let longest = "x".repeat(CONTENT_MAX);
    written(&mut disk, &mut file, &longest);
    assert_eq!(dump(&file, &file, &file).unwrap(), longest.as_bytes());
    let before = disk.content;
    assert_eq!(disk.update(&"x".repeat(CONTENT_MAX + 1)), Err(TooLong(CONTENT_MAX + 1)));
    assert_eq!(disk.content, before);
}

proptest! {
    #[test]
    fn any_documents_are_read_as_they_were_written(documents in vec(any::<String>(), 0..10)) {
        let (mut disk, mut file) = new();
        for document in documents {
            let document = document + "\n\n";
            written(&mut disk, &mut file, &document);
            let content = dump(&file, &file, &file).unwrap();
            prop_assert!(document.as_bytes().starts_with(content));
            prop_assert!(document.len() - content.len() <= 1);
        }
    }
}
