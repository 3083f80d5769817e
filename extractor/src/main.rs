//! The program `extractor`; see its library.

fn main() -> std::process::ExitCode {
    extractor::main()
}
