//! `sample`: paints the sample data set.

fn main() -> std::process::ExitCode {
    sample::main()
}
