"""Which folders of the checkout are which packages of the wheel; all else is in pyproject.toml.

tools/ and experiments/ are folders of the checkout's root, so that `python -m tools.train` works
there without an installation. Packages of such general names would collide with others in an
environment, so the wheel has them as bignas_tf.tools and bignas_tf.experiments. Listing packages
by such rules, and leaving out modules, is beyond what pyproject.toml can say. The scripts in
tools/gcp/ are left out, because they work only from a checkout.
"""

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

TOOLS, EXPERIMENTS = "bignas_tf.tools", "bignas_tf.experiments"


class BuildPackages(build_py):
    """Leaves out the scripts of experiments/, which measure a checkout; the YAML files stay."""

    def find_package_modules(self, package: str, package_dir: str) -> list[tuple[str, str, str]]:
        return [] if package == EXPERIMENTS else super().find_package_modules(package, package_dir)


setup(
    packages=[
        *find_packages(include=["bignas_tf", "bignas_tf.*"]),
        TOOLS,
        *(f"{TOOLS}.{name}" for name in find_packages("tools")),
        EXPERIMENTS,
    ],
    package_dir={TOOLS: "tools", EXPERIMENTS: "experiments"},
    package_data={
        "bignas_tf": ["py.typed", "demo.zip"],
        EXPERIMENTS: ["*.yaml", "ablations/*/*.yaml"],
    },
    include_package_data=False,
    cmdclass={"build_py": BuildPackages},
)
