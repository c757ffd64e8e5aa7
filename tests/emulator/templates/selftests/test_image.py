"""The image's recipe against the task definition and the project; it is built nowhere here."""

from __future__ import annotations

import re
import tomllib
import unittest

from templates import rollouts
from templates.places import PROJECT
from templates.selftests.test_documents import FULL

RECIPE = (PROJECT / "control-plane/Dockerfile").read_text(encoding="utf-8")


class Image(unittest.TestCase):
    """control-plane/Dockerfile."""

    def test_it_is_what_the_task_runs(self) -> None:
        (container,) = rollouts.hub(**FULL).resources["WorkerTask"]["Properties"]["ContainerDefinitions"]
        self.assertIn(f"USER {container['User']}\n", RECIPE)
        self.assertIn('ENTRYPOINT ["/usr/local/bin/spothub"]\n', RECIPE)
        self.assertIn('CMD ["run"]\n', RECIPE)
        self.assertEqual(container["Command"], ["run"])
        kind, *check = container["HealthCheck"]["Command"]
        self.assertEqual(kind, "CMD")
        told = ", ".join(f'"{word}"' for word in check)
        self.assertIn(f"CMD [{told}]", RECIPE)
        self.assertIn(f"COPY --from=busybox /bin/busybox {check[0]}\n", RECIPE)
        settings = {entry["Name"]: entry["Value"] for entry in container["Environment"]}
        self.assertIn(settings["SPOTHUB_LISTEN"], check[-1])

    def test_it_is_for_both_architectures(self) -> None:
        for word in ("arm64) echo aarch64-unknown-linux-gnu", "amd64) echo x86_64-unknown-linux-gnu"):
            self.assertIn(word, RECIPE)
        allowed = rollouts.template("hub")["Parameters"]["CpuArchitecture"]["AllowedValues"]
        self.assertEqual(allowed, ["ARM64", "X86_64"])

    def test_the_compiler_is_the_projects(self) -> None:
        toolchain = tomllib.loads((PROJECT / "rust-toolchain.toml").read_text(encoding="utf-8"))
        self.assertIn(f"ARG RUST={toolchain['toolchain']['channel']}\n", RECIPE)

    def test_the_last_stage_has_no_shell_and_no_secrets(self) -> None:
        last = RECIPE.split("\nFROM ")[-1]
        self.assertTrue(last.startswith("gcr.io/distroless/cc-debian${DEBIAN}:nonroot\n"))
        self.assertNotRegex(last, r"(?m)^RUN ")
        self.assertNotRegex(RECIPE, r"(?i)(secret|password|token)=")

    def test_what_the_build_reads_is_not_left_out(self) -> None:
        patterns = [line for line in (PROJECT / ".dockerignore").read_text(encoding="utf-8").splitlines()
                    if line and not line.startswith("#")]  # fmt: skip
        workspace = tomllib.loads((PROJECT / "Cargo.toml").read_text(encoding="utf-8"))["workspace"]
        needed = [
            *workspace["members"],
            "Cargo.lock",
            "member-stackset/hub.yaml",
            "policies",
            "LICENSE",
            ".cargo/config.toml",
        ]
        for path in needed:
            self.assertTrue((PROJECT / path).exists(), path)
            for pattern in patterns:
                out = re.compile(re.escape(pattern).replace(r"\*\*/", "(.*/)?").replace(r"\*", "[^/]*") + "(/.*)?")
                self.assertIsNone(out.fullmatch(path), f"{pattern} leaves out {path}")
        self.assertIn("tests/fuzz", workspace["exclude"])
