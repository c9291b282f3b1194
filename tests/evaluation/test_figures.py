import matplotlib as mpl

from evaluation.figures import new_figure


def test_settings_of_the_user_do_not_change_a_figure(tmp_path):
    with mpl.rc_context({"text.usetex": True, "axes.grid": True}):
        figure = new_figure(2, 1)
        axes = figure.subplots()
        axes.set_title("50 % of $HOME")
        figure.savefig(tmp_path / "figure.png")  # without LaTeX, usetex would raise

        assert not mpl.rcParams["axes.grid"]

    assert tuple(figure.get_size_inches()) == (2, 1)
