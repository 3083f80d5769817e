"""A network at 224 px: tindogr against other engines on the same CPU, in turns.

    make peers PEERS_FLAGS='--rounds 5' [BACKBONE=efficientnet-lite0]
    python tests/peers/engines.py [--threads 2] [--rounds 15] [--only REGEX] [--json PATH] [--backbone vgg16]

Every engine is a process of its own, stopped while another has its turn, with the same weights, the same
pictures and as many cores. First all outputs are compared with PyTorch's in f64; one outside the tolerance of its
class ends the run with exit code 1. Then each engine's best batch is looked for, and then, in every round, each
engine has one turn with its best batch and one with a single picture. A ratio is of two turns of one round; printed
are the median over the rounds and its 95 % interval.
"""

import contextlib
import dataclasses
import json
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile

import backbones
import command_line
import machine
from child import Child, Failed
from ratios import Ratio, gate, markdown, median

# Relative L2 to the reference in f64 that an engine may have.
TOLERANCE = {"f32": 1e-5, "bf16": 3e-2}
# A turn lasts at least that many seconds.
TURN_S = 0.5
N_CHECKED = 4
# glibc's malloc keeps what it has got from the system: without this PyTorch loses a third to page faults. What else
# helps others would be welcome here; our own program runs as it is.
KEEP_MEMORY = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(2**40)}
NO_AMX = {"ONEDNN_MAX_CPU_ISA": "AVX512_CORE_BF16"}
# The portable kernels are for machines without the vectors of the others.
NOT_TIMED = ("portable",)
# Engines whose side knows VGG-16 alone.
VGG16_ONLY = ("candle", "tensorflow")


@dataclasses.dataclass
class Engine:
    """A way to compute; of those that share a `row` the fastest is shown."""

    row: str
    name: str
    precision: str
    command: list
    settings: dict


@dataclasses.dataclass
class Turn:
    """What a row of the tables is timed with: batches of `batch` pictures, and single ones."""

    row: str
    precision: str
    best: Child
    batch: int
    single: Child
    error: float


def ours(inputs, backbone):
    """An engine for each kernel that the program names, the default first, and stock candle."""
    peer = command_line.program("examples", "peer")
    names = subprocess.run([peer], check=True, capture_output=True, text=True).stdout.split()
    command = [peer, backbones.MODULES[backbone].program_weights(inputs["weights"]), inputs["pictures"]]
    row = lambda name: name if name == "candle" else f"ours {name}"
    settings = lambda name: {"TINDOGR_CONV3X3": name, **(KEEP_MEMORY if name == "candle" else {})}
    return [Engine(row(name), row(name), "f32", command, settings(name)) for name in names if name not in NOT_TIMED]


def theirs(inputs, threads, backbone):
    """The Python engines."""
    worker = [sys.executable, command_line.HERE / "worker.py"]

    def engine(row, name, precision="f32", settings=None):
        command = [*worker, name, inputs["weights"], inputs["pictures"], inputs["folder"], str(threads), backbone]
        shown = f"{name} without AMX" if settings else name
        return Engine(row, shown, precision, command, {**KEEP_MEMORY, **(settings or {})})

    engines = [
        engine("ncnn f32", "ncnn f32"),
        engine("ncnn bf16", "ncnn bf16", "bf16"),
        engine("openvino f32", "openvino f32"),
        engine("openvino f32", "openvino f32 streams"),
        engine("openvino bf16", "openvino bf16", "bf16"),
        engine("openvino bf16", "openvino bf16 streams", "bf16"),
        engine("onnxruntime", "onnxruntime"),
        engine("pytorch f32", "pytorch channels_last"),
        engine("pytorch f32", "pytorch channels_first"),
        engine("pytorch f32", "pytorch mkldnn"),
        engine("pytorch bf16", "pytorch autocast", "bf16"),
        engine("tensorflow", "tensorflow"),
        engine("opencv", "opencv"),
    ]
    if machine.has("amx_bf16"):
        engines += [
            engine("openvino bf16 without AMX", "openvino bf16", "bf16", NO_AMX),
            engine("openvino bf16 without AMX", "openvino bf16 streams", "bf16", NO_AMX),
            engine("pytorch bf16 without AMX", "pytorch autocast", "bf16", NO_AMX),
        ]
    return engines


def make_inputs(folder, seed, batch, network):
    """Weights, pictures and where engines may put files, by name."""
    inputs = {"weights": folder / "weights.safetensors", "pictures": folder / "pictures.f32", "folder": folder}
    network.write_weights(inputs["weights"], seed)
    network.write_input(inputs["pictures"], batch, seed)
    return inputs


def start(engines, out, threads, stack):
    """(engine, child) of those that can be had here, to be ended by `stack`; says why the others can not."""
    count = str(threads)
    settings = {"RAYON_NUM_THREADS": count, "OMP_NUM_THREADS": count, "MKL_NUM_THREADS": count}
    running = []
    for engine in engines:
        log = out / f"{engine.name.replace(' ', '-')}.log"
        try:
            child = Child(engine.name, engine.command, {**settings, **engine.settings}, log)
        except (Failed, OSError) as error:
            print(f"left out: {error}", flush=True)
            continue
        stack.callback(child.end)
        running.append((engine, child))
    return running


def check(engine, child, batch, exact, folder, network):
    """Relative L2 of the first `batch` pictures' maps; ends the run if it is too large."""
    path = folder / "maps.f32"
    child.ask(f"write {path} {batch}")
    error = network.relative_l2(network.read_maps(path), exact[:batch])
    if not error <= TOLERANCE[engine.precision]:
        raise SystemExit(
            f"error: {engine.name}, batch {batch}: relative L2 {error:.1e}, {engine.precision} may have {TOLERANCE[engine.precision]:g}"
        )
    return error


def probe(child, batches):
    """Seconds for a picture, by batch: the better of two calls after one that prepares, of slow engines the only one."""
    seconds = {}
    for batch in batches:
        first = child.seconds(batch)
        calls = [first] if first > 4 else [child.seconds(batch) for _ in range(2)]
        seconds[batch] = min(calls) / batch
    return seconds


def choose(running, probed, errors):
    """The turns: for each row the engine and batch that were fastest, and the engine that was fastest with one picture."""
    turns = []
    for row in dict.fromkeys(engine.row for engine, _ in running):
        rivals = [(engine, child) for engine, child in running if engine.row == row]
        _, name, batch = min((s, e.name, n) for e, _ in rivals for n, s in probed[e.name].items())
        _, single = min((probed[e.name][1], e.name) for e, _ in rivals)
        child = {engine.name: child for engine, child in rivals}
        turns.append(Turn(row, rivals[0][0].precision, child[name], batch, child[single], errors[name]))
    return turns


def one_turn(child, batch):
    """Seconds for a picture: the median of calls that last TURN_S together, after one that does not count.

    While others had their turns caches went cold, and a hypervisor may have taken back memory that was free.
    """
    child.seconds(batch)
    calls = [child.seconds(batch)]
    while sum(calls) < TURN_S:
        calls.append(child.seconds(batch))
    return median(calls) / batch


def run_rounds(turns, n_rounds, seed):
    """As `machine.rounds`; a round is, by row, seconds for a picture: (best batch, alone)."""
    order = random.Random(seed)

    def one_round():
        shuffled = order.sample(turns, len(turns))
        return {turn.row: (one_turn(turn.best, turn.batch), one_turn(turn.single, 1)) for turn in shuffled}

    return machine.rounds(n_rounds, one_round)


def peaks(child):
    """GFLOP/s of one core by kernels, whose instruction is measured; nothing if that can not be done."""
    try:
        return json.loads(child.ask("peaks"))
    except Failed:
        return {}


def f32_peak(measured, threads):
    """GFLOP/s of all cores by f32 multiply-add of vectors, or None."""
    values = [value for each in measured for name, value in each.items() if name != "amx"]
    return max(values) * threads if values else None


def share(gflop, seconds, peak):
    """How much of `peak` GFLOP/s work of `gflop` in `seconds` is."""
    return f"{gflop / seconds / peak:.0%}" if peak else "-"


def column(rounds, row, which):
    """A row's seconds for a picture over the rounds; `which` is 0 for the best batch, 1 for a single picture."""
    return [times[row][which] for times in rounds]


def best_batch_table(turns, rounds, precision, default, peak, network):
    head = ["engine", "batch", "img/s", "ms", "ours / it (95 %)", "rel. L2", "of f32 FMA peak", "of F(4x4) floor", "cores"]

    def cells(turn):
        seconds = median(column(rounds, turn.row, 0))
        ratio = Ratio(column(rounds, default, 0), column(rounds, turn.row, 0))
        by_f4 = network.gflop_f4() and turn.row.startswith(("ours", "ncnn"))
        floor = share(network.gflop_f4(), seconds, peak) if by_f4 else "-"
        direct = share(network.gflop_direct(), seconds, peak)
        figures = [f"{1 / seconds:.2f}", f"{1000 * seconds:.1f}", ratio, f"{turn.error:.1e}", direct, floor]
        return seconds, [turn.row, turn.batch, *figures, f"{turn.best.cores():.2f}"]

    rows = sorted((cells(turn) for turn in turns if turn.precision == precision), key=lambda row: row[0])
    return markdown(head, [row for _, row in rows])


def latency_table(turns, rounds, precision, default):
    head = ["engine", "ms", "img/s", "ours / it (95 %)"]

    def cells(turn):
        seconds = median(column(rounds, turn.row, 1))
        ratio = Ratio(column(rounds, default, 1), column(rounds, turn.row, 1))
        return seconds, [turn.row, f"{1000 * seconds:.1f}", f"{1 / seconds:.2f}", ratio]

    rows = sorted((cells(turn) for turn in turns if turn.precision == precision), key=lambda row: row[0])
    return markdown(head, [row for _, row in rows])


def gates(rounds, default, peak, network):
    """The bars of the project, one line each."""

    def ratio(rows, which):
        rows = [row for row in rows if row in rounds[0]]
        # Against the best of several, the smallest ratio counts.
        return min((Ratio(column(rounds, default, which), column(rounds, row, which)).median for row in rows), default=None)

    if network.gflop_f4() is None:
        return [
            gate(f"best batch of each, ours / best of {', '.join(network.RIVALS)}", ratio(network.RIVALS, 0), *network.BARS),
            gate("one picture at a time, the same", ratio(network.RIVALS, 1), *network.BARS),
        ]
    bf16 = [row for row in rounds[0] if row.endswith(" bf16") and row.startswith(("openvino", "ncnn"))]
    bf16_vectors = [row for row in rounds[0] if "bf16" in row and row.startswith(("openvino bf16 without AMX", "ncnn"))]
    floor = lambda row: 100 * network.gflop_f4() / median(column(rounds, row, 0)) / peak if peak else None
    lines = [
        gate("ours / ncnn f32, best batch for each", ratio(["ncnn f32"], 0), 1.6, 1.3),
        gate("ours f32 / best bf16 engine of OpenVINO and ncnn", ratio(bf16, 0), 1.2),
        gate("ours / OpenVINO f32", ratio(["openvino f32"], 0), 2.5),
        gate("one picture at a time, ours / ncnn f32", ratio(["ncnn f32"], 1), 1.2),
        gate("share of the F(4x4) floor at the measured FMA peak", floor(default), 70, unit=" %"),
    ]
    if default == "ours amx" and "ours avx512" in rounds[0]:
        lines.append(gate("the same, by the vector kernels alone", floor("ours avx512"), 70, unit=" %"))
    if machine.has("amx_bf16"):
        lines.insert(2, gate("the same, they without matrix units", ratio(bf16_vectors, 0), 1.2))
    return lines


def print_report(turns, rounds, n_dropped, default, measured_peaks, arguments, network):
    peak = f32_peak(measured_peaks, arguments.threads)
    print(f"\nCPU: {machine.describe()}")
    print(f"threads: {arguments.threads}; rounds: {len(rounds)}, and {n_dropped} dropped for steal above {machine.MAX_STEAL:.1%}")
    print(f"\"ours\" in the ratios is the default, {default}, which computes in f32 accuracy")
    print("peaks of one core, GFLOP/s, before and after:", "; ".join(map(str, measured_peaks)) if peak else "not measured")
    by_f4 = f", {network.gflop_f4():.2f} by F(4x4)" if network.gflop_f4() else ""
    print(f"work for one picture: {network.gflop_direct():.2f} GFLOP by definition{by_f4}")
    for precision in TOLERANCE:
        if any(turn.precision == precision for turn in turns):
            print(f"\n## {precision}, best batch\n")
            print(best_batch_table(turns, rounds, precision, default, peak, network))
            print(f"\n## {precision}, one picture at a time\n")
            print(latency_table(turns, rounds, precision, default))
    print("\n## Versions, load times and kernels, as the engines say\n")
    head = ["engine", "way", "version", "loaded in s", "kernels"]
    about = lambda says: [says["version"], f"{says['load_s']:.2f}", says.get("kernels", "-")]
    print(markdown(head, [[turn.row, turn.best.name, *about(turn.best.about)] for turn in turns]))
    print("\n## Gates\n")
    print("\n".join(gates(rounds, default, peak, network)), flush=True)


def check_and_probe(running, inputs, arguments, network):
    """(seconds for a picture by batch, relative L2 with the best batch), each by engine; ends the run if one is wrong."""
    exact = network.reference(inputs["weights"], network.read_input(inputs["pictures"]), arguments.threads)
    for engine, child in running:
        error = check(engine, child, N_CHECKED, exact, inputs["folder"], network)
        print(f"{engine.name:36s} {engine.precision:5s} relative L2 to f64 {error:.1e}", flush=True)
    probed, errors = {}, {}
    for engine, child in running:
        probed[engine.name] = seconds = probe(child, arguments.batches)
        rates = "  ".join(f"{batch}: {1 / each:.2f}" for batch, each in seconds.items())
        print(f"{engine.name:36s} img/s by batch  {rates}", flush=True)
        errors[engine.name] = check(engine, child, min(seconds, key=seconds.get), exact, inputs["folder"], network)
        child.cpu = child.wall = 0.0
    return probed, errors


def compare(engines, inputs, arguments, stack, network):
    """Checks, probes, times and prints; returns what is recorded."""
    running = start(engines, arguments.out, arguments.threads, stack)
    if not running or running[0][0] is not engines[0]:
        raise SystemExit("error: our own program does not run, so there is nothing to compare")
    default = engines[0].row
    probed, errors = check_and_probe(running, inputs, arguments, network)
    turns = choose(running, probed, errors)
    timed = [child for turn in turns for child in (turn.best, turn.single)]
    for _, child in running:
        if child not in timed:
            # Its memory is for the others.
            child.end()
    before = peaks(turns[0].best)
    rounds, n_dropped = run_rounds(turns, arguments.rounds, arguments.seed)
    measured_peaks = [each for each in (before, peaks(turns[0].best)) if each]
    print_report(turns, rounds, n_dropped, default, measured_peaks, arguments, network)
    return {
        "cpu": machine.describe(),
        "backbone": arguments.backbone,
        "threads": arguments.threads,
        "default": default,
        "batch": {turn.row: turn.batch for turn in turns},
        "relative_l2": {turn.row: turn.error for turn in turns},
        "peaks_gflops_one_core": measured_peaks,
        "probed_s_a_picture": probed,
        "rounds_dropped": n_dropped,
        "rounds_s_a_picture_best_and_alone": rounds,
    }


def main():
    arguments = command_line.parser(__doc__, rounds=15).parse_args()
    network = backbones.MODULES[arguments.backbone]
    arguments.batches = sorted({1, *arguments.batches})
    arguments.out.mkdir(parents=True, exist_ok=True)
    machine.pin(arguments.threads)
    # Stopped children would outlive a death without a word.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    folder = pathlib.Path(tempfile.mkdtemp(prefix="engines-", dir=arguments.out))
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, folder)
        inputs = make_inputs(folder, arguments.seed, max(N_CHECKED, *arguments.batches), network)
        default, *others = ours(inputs, arguments.backbone)
        others += theirs(inputs, arguments.threads, arguments.backbone)
        if arguments.backbone != "vgg16":
            others = [engine for engine in others if engine.row not in VGG16_ONLY]
        engines = [default, *(engine for engine in others if arguments.only.search(engine.name))]
        command_line.record(arguments.json, "engines", compare(engines, inputs, arguments, stack, network))


if __name__ == "__main__":
    main()
