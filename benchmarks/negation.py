"""Whether the text model reads negation: what is said of “no X” beside a drawing of X and beside others.

python benchmarks/negation.py [--preset efficientnet-lite2-devise]

Each validation drawing is asked its own title and the title negated. A model that reads negation says that
the negated one doesn't fit the drawing itself, and finds it likelier of the others. What is spoken about is
told by the same text model: how near the vector of a negated text stays to that of the text.
"""

from __future__ import annotations

import argparse

import numpy as np
from common import load_clipart
from scipy.special import expit

from mmdemo.models.aligner import judge_of
from mmdemo.models.heads.residual import Projection
from mmdemo.models.reliability import FITS

NEGATED = ("{}", "not {}", "no {}", "never {}", "a picture without {}", "there is no {}", "this isn't {}")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--preset", default="efficientnet-lite0-devise")
    art = load_clipart(parser.parse_args().preset)
    judge = judge_of(art.towers.grounds, Projection(art.towers.media.dim, None))
    assert judge is not None, "no fit ships for this preset"
    features, titles = art.pairs.features[art.validation], [art.titles[i] for i in art.validation]
    plain = art.towers.text.encode(titles)
    own = np.eye(len(titles), dtype=bool)
    print(f"{len(titles)} drawings: own says fits, own mean, others mean, likelier of its own, cosine with X")
    for form in NEGATED:
        texts = art.towers.text.encode([form.format(title.lower()) for title in titles])
        said = expit(judge.log_odds(features, texts))  # (N, N)
        fits = np.mean([judge.fit.zones.word(float(p)) == FITS for p in said[own]])
        likelier = np.mean(said[own][None, :] > said, where=~own)  # a drawing of X than another one
        near = float((plain * texts).sum(1).mean())
        print(
            f"{form.format('X'):24} {100 * fits:5.1f} % {100 * said[own].mean():5.1f} % "
            f"{100 * said[~own].mean():5.1f} % {100 * likelier:5.1f} % {near:.2f}"
        )


if __name__ == "__main__":
    main()
