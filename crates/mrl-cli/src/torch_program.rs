//! The other program: `mrl-torch`, which has the commands that compute with libtorch. Loading libtorch takes 0.2 seconds, which the
//! other commands do not need.

use std::{env, fs, io, os::unix::process::CommandExt, path::PathBuf, process::Command, thread};

use anyhow::anyhow;

/// The program's name; it lies beside `mrl`.
const NAME: &str = "mrl-torch";

/// Becomes `mrl-torch` with the same arguments, of the command line of the program `called`: `mrl` or `mrl_train`. It is the same process, so that signals, job managers and `mpirun` see one.
/// Returns only where that fails.
pub fn become_it(called: &str) -> anyhow::Error {
    let place = match place() {
        Ok(place) => place,
        Err(error) => return anyhow!("cannot find the folder of mrl, where {NAME} must be: {error}"),
    };
    let mut command = Command::new(&place);
    command.arg0(called).args(env::args_os().skip(1));
    wait_asleep(&mut command);
    follow_quota(&mut command);
    let error = command.exec();
    if error.kind() == io::ErrorKind::NotFound {
        return anyhow!(
            "{}: does not exist, and this command needs it; keep both programs in one folder, or build them: cargo build --release",
            place.display()
        );
    }
    anyhow!("{}: cannot be run: {error}", place.display())
}

fn place() -> io::Result<PathBuf> {
    Ok(env::current_exe()?.canonicalize()?.with_file_name(NAME))
}

/// Gives libtorch at most as many threads as the cgroup's CPU quota allows. By itself, libtorch counts only the processors.
fn follow_quota(command: &mut Command) {
    const THREADS: &str = "OMP_NUM_THREADS";
    let Ok(allowed) = thread::available_parallelism().map(usize::from) else { return };
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let is_limited = processors(&status).is_some_and(|processors| allowed < processors);
    if is_limited && env::var_os(THREADS).is_none() {
        command.env(THREADS, allowed.to_string());
    }
}

/// The processors that the process may run on, by the bits of `Cpus_allowed` in `/proc/self/status`.
fn processors(status: &str) -> Option<usize> {
    let mask = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed:"))?;
    Some(mask.chars().filter_map(|digit| digit.to_digit(16)).map(|digit| digit.count_ones() as usize).sum())
}

/// Lets threads that wait for others sleep, if the user has not said how they are to wait: libgomp reads that when it is loaded.
///
/// By default they spin, and where another program is busy they keep the processor from the very thread that they wait for. Measured on
/// 2 cores, 40 steps of the demo: beside a compiler 112 and 120 s spinning, 31 s sleeping; alone 20.9, 21.5 and 21.3 s (November 2026).
fn wait_asleep(command: &mut Command) {
    const POLICY: &str = "OMP_WAIT_POLICY";
    if cfg!(target_os = "linux")
        && [POLICY, "GOMP_SPINCOUNT"].into_iter().all(|name| env::var_os(name).is_none())
    {
        command.env(POLICY, "passive");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processors_are_counted_by_the_bits_of_the_mask() {
        let of =
            |mask: &str| processors(&format!("Name:\tmrl\nCpus_allowed:\t{mask}\nCpus_allowed_list:\t0-1\n"));
        assert_eq!([of("3"), of("ff,ffffffff"), of("00000000,00000005")], [Some(2), Some(40), Some(2)]);
        assert_eq!(processors("Name:\tmrl\n"), None);
    }
}
