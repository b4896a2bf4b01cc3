"""What the gateway costs: `make bench`, or `python -m bench` with options.

Everything runs on the loopback address: one upstream, a bare aiohttp forwarder as the baseline, two pairs of gateways, and a load
generator, each in a process of its own. Variants are measured in turns, so that other work on the machine meets all of them.
What trust between owners costs beside that is in `bench.trust`, HAProxy in front in `bench.fast`, lists over many clouds by oaktree
in `bench.oaktree`, by scopes with operators in `bench.several`, uploads to several clouds in `bench.uploads`, regions that are parts of other clouds in `bench.regions`,
what their control planes negotiate in `bench.negotiations`, a real Keystone with 1000 of them in `bench.region_catalog`,
and an aggregator's Horizon beside a provider's in `bench.horizon`.
"""

import argparse
import json
import math
import os
import platform
import statistics
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from bench import clouds, fast, horizon, negotiations, oaktree, real, region_catalog, regions, several, trust, uploads
from bench.stage import Stage, Variant, Watch, load

_SECTIONS: Final[dict[str, Any]] = {
    "fast": fast,
    "oaktree": oaktree,
    "several": several,
    "regions": regions,
    "negotiations": negotiations,
    "catalog": region_catalog,
    "uploads": uploads,
    "horizon": horizon,
}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("-o", "--output", choices=("table", "json"), default="table")
    parser.add_argument("--rounds", type=int, default=5, help="turns of all variants (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=1, help="of each measurement (default: %(default)s)")
    parser.add_argument("--rate", type=int, default=200, help="requests/s for latencies (default: %(default)s)")
    parser.add_argument("--full", action="store_true", help="a download of 1 GiB instead of 256 MiB")
    parser.add_argument(
        "--real", action="store_true", help="also the stock client on a running lab, which is restarted"
    )
    parser.add_argument("--lab", type=Path, metavar="DIR", help="the lab's folder, for --real")
    parser.add_argument("--only", choices=tuple(_SECTIONS), help="this section alone")
    arguments = parser.parse_args()
    if arguments.only:
        section = _SECTIONS[arguments.only]
        found = section.measured(arguments.rounds)
        print(json.dumps(found, indent=2) if arguments.output == "json" else "\n".join(section.lines(found)))
        return
    if arguments.real and arguments.lab is None:
        parser.error("--real needs --lab DIR")
    with Stage() as stage:
        result = measured(stage, arguments)
    result["trust"] = trust.measured(result["variants"], result.pop("tokens"))
    result["fast"] = fast.measured(arguments.rounds)
    result["oaktree"] = oaktree.measured(arguments.rounds)
    result["several"] = several.measured(arguments.rounds)
    if arguments.real:
        result["lab"] = real.measured(arguments.lab)
    if arguments.output == "json":
        print(json.dumps(result, indent=2))
    else:
        print(table(result))


def measured(stage: Stage, arguments: argparse.Namespace) -> dict[str, Any]:
    """All figures: of each variant, the median of its rounds."""
    variants = [stage.direct, stage.baseline, *stage.gateways]
    seconds, size = arguments.seconds, 1 << (30 if arguments.full else 28)
    cpu: dict[str, list[float]] = {variant.name: [] for variant in variants}
    each: dict[str, list[list[float]]] = {variant.name: [] for variant in variants}
    rates: dict[str, list[float]] = {variant.name: [] for variant in variants}
    latencies: dict[str, list[float]] = {variant.name: [] for variant in variants}
    for variant in variants:
        load(variant, "full", seconds=0.5)
    for _ in range(arguments.rounds):
        for variant in variants:
            watch = Watch(variant.processes)
            with watch.running():
                run = load(variant, "full", seconds=seconds)
            cpu[variant.name].append(watch.cpu / run["requests"] * 1e6)
            each[variant.name].append([spent / run["requests"] * 1e6 for spent in watch.each])
            rates[variant.name].append(run["requests"] / run["seconds"])
            latencies[variant.name] += load(variant, "rate", seconds=seconds, rate=arguments.rate)["latencies"]
    rows = []
    for variant in variants:
        name = variant.name
        times = sorted(latencies[name])
        rows.append(
            {
                "variant": name,
                "cpu_us": statistics.median(cpu[name]),
                "cpu_us_each": [statistics.median(turns) for turns in zip(*each[name], strict=True)],
                "cpu_ratios": [mine / bare for mine, bare in zip(cpu[name], cpu[stage.baseline.name], strict=True)],
                "requests_per_second": statistics.median(rates[name]),
                "p50_us": _percentile(times, 50),
                "p99_us": _percentile(times, 99),
                **_download(variant, size),
            }
        )
    return {
        "machine": {
            "cpus": os.cpu_count(),
            "python": platform.python_version(),
            "load_average": os.getloadavg()[0],
        },
        "rounds": arguments.rounds,
        "rate": arguments.rate,
        "download_bytes": size,
        "variants": _with_ratios(rows),
        "tokens": {
            what: clouds.counts(admin, f"openstackoid_{what}")
            for what, admin in zip(("minted", "verified"), stage.metrics, strict=True)
        },
    }


def _download(variant: Variant, size: int) -> dict[str, float]:
    # The first one fills buffers that stay; growth is counted from before it.
    watch = Watch(variant.processes)
    variant = replace(variant, port=variant.data or variant.port)
    runs = []
    with watch.running():
        runs += [load(variant, "download", connections=1, bytes=size) for _ in range(2)]
    fastest = min(run["seconds"] for run in runs)
    return {
        "download_mb_per_second": size / fastest / 1e6,
        "download_cpu_ms_per_gb": watch.cpu * 1000 / (2 * size / 1e9),
        "download_growth_mb": watch.growth / 1e6,
    }


def _with_ratios(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    direct, bare = rows[0], rows[1]
    for row in rows:
        row["added_p50_us"] = row["p50_us"] - direct["p50_us"]
        row["added_p99_us"] = row["p99_us"] - direct["p99_us"]
    for row in rows:
        row["cpu_ratio"] = statistics.median(row.pop("cpu_ratios"))
        row["throughput_ratio"] = row["requests_per_second"] / bare["requests_per_second"]
        row["latency_ratio"] = row["added_p50_us"] / bare["added_p50_us"]
        row["download_ratio"] = row["download_mb_per_second"] / bare["download_mb_per_second"]
        row["download_cpu_ratio"] = row["download_cpu_ms_per_gb"] / bare["download_cpu_ms_per_gb"]
    return rows


def _percentile(values: list[float], percent: int) -> float:
    return values[max(0, math.ceil(len(values) * percent / 100) - 1)] * 1e6


def table(result: dict[str, Any]) -> str:
    """The figures for people; in brackets, the ratio to the bare forwarder in the same run."""
    machine = result["machine"]
    lines = [
        (
            f"{machine['cpus']} CPUs, Python {machine['python']}, load average {machine['load_average']:.1f} at the end; "
            f"{result['rounds']} rounds in turns, medians; in brackets: divided by the bare forwarder's in the same run"
        ),
        "",
        (
            "1 KB answers, 50 connections; latency added to the upstream's own, at "
            f"{result['rate']} requests/s; a download of {result['download_bytes'] >> 20} MiB, twice"
        ),
        "",
        (
            f"{'':32} {'CPU us/request':>16} {'requests/s':>16} {'+p50 us':>14} {'+p99 us':>9} {'MB/s':>14} "
            f"{'CPU ms/GB':>15} {'+memory MB':>10}"
        ),
    ]
    for row in result["variants"]:
        proxy = row is not result["variants"][0]

        def cell(key: str, ratio: str, row: dict[str, Any] = row, proxy: bool = proxy) -> str:
            return f"{row[key]:.0f} ({row[ratio]:.2f})" if proxy else f"{row[key]:.0f}"

        median = cell("added_p50_us", "latency_ratio") if proxy else f"({row['p50_us']:.0f})"
        added = f"{row['added_p99_us']:.0f}" if proxy else f"({row['p99_us']:.0f})"
        growth = f"{row['download_growth_mb']:.0f}" if proxy else "-"
        lines.append(
            f"{row['variant']:32} "
            f"{cell('cpu_us', 'cpu_ratio') if proxy else '-':>16} "
            f"{cell('requests_per_second', 'throughput_ratio'):>16} "
            f"{median:>14} "
            f"{added:>9} "
            f"{cell('download_mb_per_second', 'download_ratio'):>14} "
            f"{cell('download_cpu_ms_per_gb', 'download_cpu_ratio') if proxy else '-':>15} "
            f"{growth:>10}"
        )
    lines += ["", *trust.lines(result["trust"])]
    lines += ["", *fast.lines(result["fast"])]
    lines += ["", *oaktree.lines(result["oaktree"])]
    lines += ["", *several.lines(result["several"])]
    if "lab" in result:
        lines += ["", "On the lab, seconds:", *(f"{name:60} {value:8.2f}" for name, value in result["lab"].items())]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
