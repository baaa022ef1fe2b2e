//! Runs a scenario, a second time if the emulation failed.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;

use anyhow::{Result, anyhow};

use super::{Lab, Spec};

/// How often a scenario is tried.
const ATTEMPTS: u32 = 2;

/// Runs a scenario in a host of its own. If the emulation has killed the host or a guest, the
/// scenario is run once more. The remains of each failed run are below `failed/` in the lab's
/// folder.
///
/// # Errors
/// It fails; the error says where its remains are.
pub fn run(spec: Spec, scenario: impl Fn(&Lab) -> Result<()>) -> Result<()> {
    run_with(spec, &[], scenario)
}

/// The same in a host that has these files in its folder [`super::FILES`].
///
/// # Errors
/// It fails; the error says where its remains are.
pub fn run_with(
    spec: Spec,
    files: &[PathBuf],
    scenario: impl Fn(&Lab) -> Result<()>,
) -> Result<()> {
    let mut attempt = 1;
    loop {
        let lab = match Lab::start(spec, files) {
            Ok(lab) => lab,
            // Nothing of hostinfo has run by then.
            Err(error) if attempt < ATTEMPTS => {
                eprintln!("--- the host did not start, so once more: {error:?}");
                attempt += 1;
                continue;
            }
            Err(error) => return Err(error),
        };
        let outcome = catch_unwind(AssertUnwindSafe(|| scenario(&lab)));
        let outcome = outcome.unwrap_or_else(|_| Err(anyhow!("the scenario panicked: see above")));
        let Err(error) = outcome else { return Ok(()) };
        let fault = lab.fault();
        let kept = match lab.keep(attempt, &error) {
            Ok(folder) => format!("what is left of it: {}", folder.display()),
            Err(error) => format!("not all that is left of it could be kept: {error:#}"),
        };
        match fault {
            Some(fault) if attempt < ATTEMPTS => {
                eprintln!("--- the emulation failed, so once more: {fault}; {kept}\n{error:?}");
                attempt += 1;
            }
            Some(fault) => {
                let story = format!("the emulation failed {attempt} times: {fault}; {kept}");
                return Err(error.context(story));
            }
            None => return Err(error.context(kept)),
        }
    }
}
