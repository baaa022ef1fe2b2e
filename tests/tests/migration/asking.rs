//! A guest that asks without pause, and what it was told: each question is a query and a token.

use anyhow::{Context as _, Result, bail, ensure};
use hostinfo_tests::{DomainGuest, Port};

/// Questions that are sent in one piece. They are more lines than a guest may send in the time that an upgrade takes, so a
/// daemon hands over some of them that wait.
const AT_ONCE: usize = 4;

/// What the guest has asked and was told, in the guest.
const ASKED: &str = "/tmp/asked";

/// Has the guest ask until [`replies`] are wanted: again when the last reply has come, or has not for so long that it was
/// lost.
pub(crate) fn ask_on(guest: &mut DomainGuest, port: Port) -> Result<()> {
    guest.run(&format!(
        "(exec 3<>{}; stty raw -echo <&3 2>/dev/null
         number=0
         until [ -e /tmp/enough ]; do
             number=$((number + 1)); echo \"> $number\"
             for part in $(seq {AT_ONCE}); do
                 printf 'session\\nping %s\\n' $number.$part
             done >/tmp/questions
             cat /tmp/questions >&3
             while read -r -t 10 line <&3; do
                 echo \"$line\"; [ \"$line\" = \"200 pong $number.{AT_ONCE}\" ] && break
             done
         done
         while read -r -t 1 line <&3; do echo \"$line\"; done
         touch /tmp/silent) >{ASKED} 2>&1 &",
        port.device()
    ))?;
    Ok(())
}

/// Whether two hosts have answered.
pub(crate) fn has_moved(guest: &mut DomainGuest) -> Result<bool> {
    let sessions = guest.run(&format!("grep -o '200 session=.*' {ASKED} | sort -u"))?;
    Ok(sessions.stdout.lines().count() > 1)
}

/// Has it end, and returns what it has asked and was told.
pub(crate) fn replies(guest: &mut DomainGuest) -> Result<String> {
    guest.run("touch /tmp/enough; until [ -e /tmp/silent ]; do sleep 0.1; done")?;
    Ok(guest.run(&format!("cat {ASKED}"))?.stdout)
}

/// Questions that were sent in one piece.
struct Block<'a> {
    /// The sessions in their replies.
    sessions: Vec<&'a str>,
    /// Whether each has one whole reply, and its own.
    is_whole: bool,
}

impl<'a> Block<'a> {
    fn parse(text: &'a str) -> Result<Self> {
        let (number, replies) = text.split_once('\n').context("no questions")?;
        let lines: Vec<&str> = replies.lines().collect();
        // The end of a reply that was cut off may precede another.
        let session = |line: &&'a str| Some(line.rsplit_once("200 session=")?.1);
        let sessions = lines.iter().filter_map(session).filter(|session| session.len() == 16);
        let is_own = |(part, lines): (usize, &[&str])| match lines {
            [reply, pong] => {
                let is_reply = ["200 session=", "429 retry after "];
                is_reply.iter().any(|begin| reply.starts_with(begin))
                    && *pong == format!("200 pong {number}.{}", part + 1)
            }
            _ => false,
        };
        let is_whole = lines.len() == 2 * AT_ONCE && lines.chunks(2).enumerate().all(is_own);
        Ok(Self { sessions: sessions.collect(), is_whole })
    }
}

/// How often the guest was answered with values, and not told to wait.
///
/// # Errors
/// A question has no whole reply, or another's, or one twice. Only those may that were under way when the guest went on in
/// another QEMU, as what the one before held is lost, in either direction: the other host's first reply comes in that block
/// or in the next one.
pub(crate) fn judge(asked: &str) -> Result<u64> {
    let blocks = asked.split("> ").skip(1).map(Block::parse);
    let blocks: Vec<Block<'_>> = blocks.collect::<Result<_>>()?;
    let sessions = blocks.iter().enumerate();
    let mut sessions: Vec<(usize, &str)> =
        sessions.flat_map(|(at, block)| block.sessions.iter().map(move |one| (at, *one))).collect();
    let values = sessions.len() as u64;
    sessions.dedup_by_key(|(_, session)| *session);
    let [(0, _), (moved, _)] = sessions[..] else { bail!("not two sessions: {sessions:?}") };
    let broken = blocks.iter().enumerate().filter(|(_, block)| !block.is_whole);
    let broken: Vec<usize> = broken.map(|(at, _)| at).collect();
    let all = blocks.len();
    eprintln!(
        "of {all} blocks, {broken:?} are not whole, and {moved} was the first of another host"
    );
    let is_by_move = |at: &usize| (*at..=at + 1).contains(&moved);
    ensure!(broken.len() <= 1 && broken.iter().all(is_by_move), "lost by no move: {broken:?}");
    ensure!(moved > 5 && all > moved + 5, "{all} blocks, of which {moved} before the move");
    Ok(values)
}
