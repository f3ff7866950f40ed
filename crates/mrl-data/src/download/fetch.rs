//! One file over HTTP: resumed when cut, tried again when it may help, checked by its MD5.

use std::{
    fs::{self, File, OpenOptions},
    io::{Read, Write},
    path::Path,
    thread,
    time::Duration,
};

use md5::{Digest, Md5};
use ureq::{
    Agent, Body, Proxy,
    http::{Response, StatusCode, header},
};

use crate::{DataError, Progress};

/// What is fetched.
pub(super) struct Source<'a> {
    pub(super) url: String,
    /// The name that progress shows.
    pub(super) file: &'a str,
    /// In lower-case hexadecimal.
    pub(super) md5: &'a str,
    pub(super) most_bytes: u64,
    /// What the user does when this fails.
    pub(super) cure: String,
}

/// How patient a download is.
pub(super) struct Policy {
    /// Attempts in a row that may bring (almost) nothing.
    pub(super) attempts: usize,
    /// The pause before the second attempt; it doubles with each.
    pub(super) pause: Duration,
    pub(super) connect_timeout: Duration,
    /// How long the server may be silent.
    pub(super) read_timeout: Duration,
    /// Whether the system's proxy is used, where there is one.
    pub(super) proxy: bool,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            attempts: 5,
            pause: Duration::from_secs(1),
            connect_timeout: Duration::from_secs(20),
            read_timeout: Duration::from_secs(30),
            proxy: true,
        }
    }
}

/// An attempt that brings so much starts the count of attempts anew.
const WORTHWHILE: u64 = 1 << 20;

/// Bytes between two reports of progress.
const CHUNK: usize = 1 << 17;

/// Why an attempt ended without the whole file.
enum Failure {
    /// Another attempt may succeed.
    Passing(String),
    /// No other attempt helps.
    Lasting(String),
    /// The disk is at fault.
    Disk(DataError),
}

impl From<DataError> for Failure {
    fn from(error: DataError) -> Self {
        Self::Disk(error)
    }
}

/// Brings `source` into the file `part`, going on where an earlier, cut download ended.
///
/// # Errors
/// When the server refuses, fails `policy.attempts` times in a row, or sends other bytes than those of the checksum (then
/// `part` is removed; else it stays to be resumed), or the disk is full.
pub(super) fn fetch(
    source: &Source<'_>,
    part: &Path,
    policy: &Policy,
    progress: &dyn Fn(Progress<'_>),
) -> Result<(), DataError> {
    let error =
        |problem: String| DataError::Download { url: source.url.clone(), problem, cure: source.cure.clone() };
    let mut transfer = Transfer { source, part, agent: agent(policy), progress, resumed: false };
    let (mut attempt, mut futile, mut restarted) = (1, 0, false);
    loop {
        let before = length(part);
        let problem = match transfer.attempt() {
            Ok(()) => match transfer.verify()? {
                None => return Ok(()),
                // The piece on disk may have been of another file: start over, once.
                Some(problem) if transfer.resumed && !restarted => {
                    (transfer.resumed, restarted) = (false, true);
                    problem
                }
                Some(problem) => return Err(error(problem)),
            },
            Err(Failure::Passing(problem)) => problem,
            Err(Failure::Lasting(problem)) => return Err(error(problem)),
            Err(Failure::Disk(error)) => return Err(error),
        };
        futile = if length(part) >= before.saturating_add(WORTHWHILE) { 1 } else { futile + 1 };
        if futile >= policy.attempts {
            return Err(error(format!("{problem}, after {attempt} attempts")));
        }
        attempt += 1;
        progress(Progress::Retry { file: source.file, problem: &problem, attempt });
        thread::sleep(policy.pause * (1 << (futile - 1).min(6)));
    }
}

/// The MD5 of a file in lower-case hexadecimal.
pub(super) fn md5_of(path: &Path) -> Result<String, DataError> {
    let mut file = File::open(path).map_err(DataError::io(path))?;
    let mut hash = Md5::new();
    let mut buffer = vec![0; 1 << 18];
    loop {
        match file.read(&mut buffer).map_err(DataError::io(path))? {
            0 => break,
            count => hash.update(&buffer[..count]),
        }
    }
    let hexadecimal =
        |byte: u8| [byte >> 4, byte & 15].map(|digit| char::from(b"0123456789abcdef"[usize::from(digit)]));
    Ok(hash.finalize().into_iter().flat_map(hexadecimal).collect())
}

fn agent(policy: &Policy) -> Agent {
    let proxy = policy.proxy.then(Proxy::try_from_env).flatten();
    let config = Agent::config_builder()
        .proxy(proxy)
        .http_status_as_error(false)
        .user_agent(concat!("mrl/", env!("CARGO_PKG_VERSION")))
        .timeout_connect(Some(policy.connect_timeout))
        .timeout_recv_response(Some(policy.read_timeout))
        .timeout_per_read(Some(policy.read_timeout))
        .build();
    config.into()
}

/// The length of a file, 0 when there is none.
fn length(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |metadata| metadata.len())
}

struct Transfer<'a> {
    source: &'a Source<'a>,
    part: &'a Path,
    agent: Agent,
    progress: &'a dyn Fn(Progress<'_>),
    /// Whether the file is put together from more than one response.
    resumed: bool,
}

impl Transfer<'_> {
    /// Asks for what is missing and appends it.
    fn attempt(&mut self) -> Result<(), Failure> {
        let have = length(self.part);
        // Compression on the way would change the bytes that the checksum is of.
        let mut request = self.agent.get(&self.source.url).header(header::ACCEPT_ENCODING, "identity");
        if have > 0 {
            request = request.header(header::RANGE, format!("bytes={have}-"));
        }
        let response = request.call().map_err(|error| Failure::Passing(error.to_string()))?;
        let status = response.status();
        match status {
            StatusCode::OK => self.receive(response, 0),
            StatusCode::PARTIAL_CONTENT if range_start(&response) == Some(have) => {
                self.resumed = true;
                self.receive(response, have)
            }
            StatusCode::PARTIAL_CONTENT => {
                self.start_over("the server sent another range than was asked for")
            }
            // All bytes are there already, or more: the checksum decides.
            StatusCode::RANGE_NOT_SATISFIABLE if have > 0 => {
                self.resumed = true;
                Ok(())
            }
            _ if status.is_server_error()
                || status == StatusCode::TOO_MANY_REQUESTS
                || status == StatusCode::REQUEST_TIMEOUT =>
            {
                Err(Failure::Passing(format!("the server answers {status}")))
            }
            _ => Err(Failure::Lasting(format!("the server answers {status}"))),
        }
    }

    fn start_over(&self, problem: &str) -> Result<(), Failure> {
        fs::remove_file(self.part).map_err(DataError::io(self.part))?;
        Err(Failure::Passing(problem.into()))
    }

    /// Writes a response's body behind the first `start` bytes.
    fn receive(&self, mut response: Response<Body>, start: u64) -> Result<(), Failure> {
        let on_disk = |error| Failure::Disk(DataError::io(self.part)(error));
        let total = response.body().content_length().map(|rest| start.saturating_add(rest));
        if total.is_some_and(|total| total > self.source.most_bytes) {
            return Err(Failure::Lasting(self.too_long()));
        }
        let mut file = OpenOptions::new().create(true).append(true).open(self.part).map_err(on_disk)?;
        file.set_len(start).map_err(on_disk)?;
        let mut body = response.body_mut().as_reader();
        let mut buffer = vec![0; CHUNK];
        let mut done = start;
        loop {
            self.report(done, total);
            let count = body.read(&mut buffer).map_err(|error| Failure::Passing(error.to_string()))?;
            if count == 0 {
                break;
            }
            done += count as u64;
            if done > self.source.most_bytes {
                return Err(Failure::Lasting(self.too_long()));
            }
            file.write_all(&buffer[..count]).map_err(on_disk)?;
        }
        match total {
            Some(total) if done < total => {
                Err(Failure::Passing(format!("the server sent {done} of {total} bytes")))
            }
            _ => file.sync_all().map_err(on_disk),
        }
    }

    fn report(&self, done_bytes: u64, total_bytes: Option<u64>) {
        (self.progress)(Progress::Download { file: self.source.file, done_bytes, total_bytes });
    }

    fn too_long(&self) -> String {
        format!("the server sends more than {} bytes, which is not the archive", self.source.most_bytes)
    }

    /// Checks the whole file. A wrong one is removed, and what is wrong is returned.
    fn verify(&self) -> Result<Option<String>, DataError> {
        (self.progress)(Progress::Verify { file: self.source.file });
        let found = md5_of(self.part)?;
        if found == self.source.md5 {
            return Ok(None);
        }
        fs::remove_file(self.part).map_err(DataError::io(self.part))?;
        Ok(Some(format!("the file that came has md5 {found}, not {}", self.source.md5)))
    }
}

/// The first byte of a `Content-Range: bytes 100-199/200`.
fn range_start(response: &Response<Body>) -> Option<u64> {
    let range = response.headers().get(header::CONTENT_RANGE)?.to_str().ok()?;
    range.trim().strip_prefix("bytes")?.trim_start().split('-').next()?.trim().parse().ok()
}
