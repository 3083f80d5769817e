//! `weights`: the weights of a network, from the hub, a file or a seed, as one checked safetensors file.

fn main() -> std::process::ExitCode {
    weights::main()
}
