//! The program `stanford-dogs`.

fn main() -> std::process::ExitCode {
    stanford_dogs::main()
}
