//! `splitter`: class folders to a train/valid/test manifest.

fn main() -> std::process::ExitCode {
    splitter::main()
}
