//! An HTTP server on the loopback interface that misbehaves by script.

use std::{
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

/// How one request is answered.
#[derive(Clone)]
pub(super) enum Reply {
    /// As asked.
    Good,
    /// As asked, but the connection ends after so many bytes of the body.
    Cut(usize),
    /// As asked, but silent after so many bytes of the body.
    Stall(usize),
    /// All of the file, whatever was asked for.
    IgnoreRange,
    /// As asked, a thousand bytes a millisecond.
    Slow,
    /// The range that was asked for, but one byte late.
    WrongRange,
    /// Other bytes of the same length.
    WrongBytes,
    /// All of the file with a `Content-Length` that is wrong by so much.
    WrongLength(i64),
    /// Bytes without end or length.
    Endless,
    /// Only a status line.
    Status(u16),
}

pub(super) struct Server {
    pub(super) base_url: &'static str,
    /// Where each request wanted the file from; 0 without a range.
    requests: Arc<Mutex<Vec<u64>>>,
}

impl Server {
    /// Serves `file` at every path; the last of `replies` repeats.
    pub(super) fn start(file: Vec<u8>, replies: &[Reply]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base_url = format!("http://{}/", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (log, replies) = (Arc::clone(&requests), replies.to_vec());
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let start = read_request(&stream);
                let mut log = log.lock().unwrap();
                let reply = replies[log.len().min(replies.len() - 1)].clone();
                log.push(start.unwrap_or(0));
                drop(log);
                let file = file.clone();
                // A client that hangs up early is part of the game.
                thread::spawn(move || drop(answer(stream, &reply, &file, start)));
            }
        });
        Self { base_url: base_url.leak(), requests }
    }

    pub(super) fn requests(&self) -> Vec<u64> {
        self.requests.lock().unwrap().clone()
    }
}

/// Reads a request and gives the start of its range.
fn read_request(stream: &TcpStream) -> Option<u64> {
    let lines = BufReader::new(stream).lines().map_while(Result::ok).take_while(|line| !line.is_empty());
    lines.fold(None, |range, line| {
        let line = line.to_ascii_lowercase();
        line.strip_prefix("range: bytes=").and_then(|rest| rest.strip_suffix('-')?.parse().ok()).or(range)
    })
}

fn answer(mut stream: TcpStream, reply: &Reply, file: &[u8], start: Option<u64>) -> std::io::Result<()> {
    let start = start.filter(|_| !matches!(reply, Reply::IgnoreRange | Reply::WrongLength(_)));
    let from = start.unwrap_or(0) as usize;
    if let Reply::Status(status) = reply {
        return write!(
            stream,
            "HTTP/1.1 {status} Whatever\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        );
    }
    if let Reply::Endless = reply {
        write!(stream, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")?;
        loop {
            stream.write_all(&[0; 4096])?;
        }
    }
    if from >= file.len() {
        return write!(
            stream,
            "HTTP/1.1 416 Range Not Satisfiable\r\nContent-Range: bytes */{}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
            file.len()
        );
    }
    let status = if start.is_some() { "206 Partial Content" } else { "200 OK" };
    let shift = usize::from(matches!(reply, Reply::WrongRange));
    let mut body = file[from..].to_vec();
    if let Reply::WrongBytes = reply {
        for byte in &mut body {
            *byte ^= 1;
        }
    }
    let length = body.len() as i64 + if let Reply::WrongLength(by) = reply { *by } else { 0 };
    write!(stream, "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n")?;
    if start.is_some() {
        write!(stream, "Content-Range: bytes {}-{}/{}\r\n", from + shift, file.len() - 1, file.len())?;
    }
    stream.write_all(b"\r\n")?;
    match *reply {
        Reply::Cut(count) => stream.write_all(&body[..count.min(body.len())]),
        Reply::Stall(count) => {
            stream.write_all(&body[..count.min(body.len())])?;
            thread::sleep(Duration::from_secs(20));
            Ok(())
        }
        Reply::Slow => body.chunks(1_000).try_for_each(|piece| {
            thread::sleep(Duration::from_millis(1));
            stream.write_all(piece)
        }),
        _ => stream.write_all(&body),
    }
}
