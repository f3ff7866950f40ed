use std::{
    fs::File,
    io::{self, Seek, SeekFrom, Write},
};

/// What a commit asks of a file. Writes may reach the disk in any order, and in part, until the next sync.
pub(crate) trait Disk {
    fn write_at(&self, bytes: &[u8], at: u64) -> io::Result<()>;

    /// All that was written is on the disk when this returns.
    fn sync(&self) -> io::Result<()>;
}

impl Disk for File {
    fn write_at(&self, bytes: &[u8], at: u64) -> io::Result<()> {
        let mut file = self;
        file.seek(SeekFrom::Start(at))?;
        file.write_all(bytes)
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_all()
    }
}
