//! `stanford-dogs`: the Stanford Dogs data set, downloaded, checked and unpacked.

fn main() -> std::process::ExitCode {
    stanford_dogs::main()
}
