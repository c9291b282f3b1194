import os
import subprocess
import sys

import pytest
from support.places import ROOT

SCRIPTS = [
    *["makeCube.py", "checkCube.py", "train.py", "predict.py", "labelVertebrae.py"],
    "compareRuns.py",
]
ARGUMENTS = {
    "makeCube.py": ["pairs.txt", "--output", "new.h5"],
    "checkCube.py": ["cube.h5", "--no-pictures"],
    "train.py": ["cube.h5", "--output", "run"],
    "predict.py": ["scan.nrrd", "--model", "model.keras", "--output", "labels"],
    "labelVertebrae.py": ["label.nrrd", "--output", "vertebrae"],
    "compareRuns.py": ["run", "--output", "page"],
    "phantom": ["scans", "--cases", "1"],
}
# Runs a script, or a package, as if packages were not installed.
WITHOUT = """
import runpy, sys

class Missing:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name.partition(".")[0] in missing:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

missing, sys.argv = sys.argv[1].split(","), sys.argv[2:]
sys.meta_path.insert(0, Missing)
sys.path[0] = ROOT
if sys.argv[0] == "phantom":
    runpy.run_module("phantom", run_name="__main__", alter_sys=True)
runpy.run_path(f"{ROOT}/{sys.argv[0]}", run_name="__main__")
"""
PACKAGES = "numpy scipy numba h5py nrrd nibabel PIL matplotlib tqdm keras tensorflow"


def run_without(packages, script, arguments, folder):
    code = WITHOUT.replace("ROOT", repr(str(ROOT)), 1).replace("{ROOT}", str(ROOT))
    return subprocess.run(
        [sys.executable, "-c", code, packages, script, *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.mark.parametrize("script", [*SCRIPTS, "phantom"])
def test_help_needs_no_package(script, tmp_path):
    done = run_without(",".join(PACKAGES.split()), script, ["--help"], tmp_path)

    assert (done.returncode, done.stderr) == (0, "")
    assert "usage:" in done.stdout


@pytest.mark.parametrize("script", [*SCRIPTS, "phantom"])
def test_missing_package_is_one_sentence_with_the_way_to_install_it(script, tmp_path):
    (tmp_path / "pairs.txt").write_text("a.nrrd,b.nrrd\n")
    done = run_without("numpy", script, ARGUMENTS[script], tmp_path)

    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("The package numpy is missing. ")
    assert f"{sys.executable} -m pip install -r " in line


def test_missing_module_of_the_project_is_a_fault_of_it(tmp_path):
    code = (
        "from system.shell import script; import sys\n"
        "def main(): import cube.none\n"
        "sys.exit(script(main)())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True
    )

    assert "Traceback" in done.stderr


def read_settings(environment):
    """Return what the packages are set to, in a process with such an environment."""
    code = (
        "import models, keras, matplotlib, numba, tensorflow as tf, warnings\n"
        "import system.compiled, volumes.warp\n"
        "print(keras.config.backend(), keras.config.floatx(),"
        " keras.config.image_data_format(), keras.config.epsilon(),"
        " matplotlib.get_backend().lower(), numba.config.DISABLE_JIT,"
        " numba.get_num_threads(),"
        " tf.config.threading.get_intra_op_parallelism_threads(),"
        " sep='|')"
    )
    kept = {n: v for n, v in os.environ.items() if not n.startswith("NUMBA_")}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**kept, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip().split("|")


@pytest.mark.slow
def test_environment_and_files_of_other_projects_change_nothing(tmp_path):
    (tmp_path / ".keras").mkdir()
    (tmp_path / ".keras/keras.json").write_text(
        '{"floatx": "float16", "epsilon": 1, "image_data_format": "channels_first", '
        '"backend": "jax"}'
    )
    odd = {
        "HOME": str(tmp_path),
        "KERAS_HOME": str(tmp_path / ".keras"),
        "KERAS_BACKEND": "torch",
        "KERAS_MAX_EPOCHS": "few",
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "NUMBA_DISABLE_JIT": "1",
        "NUMBA_THREADING_LAYER": "none",
        "NUMBA_NUM_THREADS": "0",
        "SLURM_CPUS_PER_TASK": "1",
    }

    found = read_settings(odd)

    expected = ["tensorflow", "float32", "channels_last", "1e-07", "agg", "0", "1", "1"]
    assert found == expected
    assert not (tmp_path / ".keras/models").exists()


@pytest.mark.slow
def test_nothing_is_written_into_the_home(tmp_path):
    read_settings({"HOME": str(tmp_path), "MPLCONFIGDIR": str(tmp_path / "matplotlib")})

    assert not (tmp_path / ".keras").exists()
