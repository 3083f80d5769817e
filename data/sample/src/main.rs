//! The program `sample`.

fn main() -> std::process::ExitCode {
    sample::main()
}
