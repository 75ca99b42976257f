"""How metadata reach the splitter and the scorer of a search."""

from typing import ClassVar

from sklearn import get_config
from sklearn.linear_model import LogisticRegressionCV
from sklearn.metrics import get_scorer
from sklearn.utils import Bunch
from sklearn.utils.metadata_routing import UNUSED, MetadataRouter, MethodMapping, process_routing


class Routing:
    """Of an estimator with `cv` and `scoring`."""

    # From scikit-learn 1.9 on, sample weights of `score` are the scorer's, which may ask for none.
    if "_LogisticRegressionCV__metadata_request__score" in vars(LogisticRegressionCV):
        __metadata_request__score: ClassVar = {"sample_weight": UNUSED}

    def get_metadata_routing(self):
        """How metadata reach the splitter and the scorer.

        Returns
        -------
        sklearn.utils.metadata_routing.MetadataRouter
        """
        return (
            MetadataRouter(owner=self)
            .add_self_request(self)
            .add(
                splitter=None if isinstance(self.cv, str) else self.cv,
                method_mapping=MethodMapping().add(caller="fit", callee="split"),
            )
            .add(
                scorer=self._get_scorer(),
                method_mapping=MethodMapping().add(caller="score", callee="score").add(caller="fit", callee="score"),
            )
        )

    def _route(self, method, sample_weight, params):
        """What splitter and scorer are given: sample weights to the scorer, or as metadata routing says."""
        weights = {} if sample_weight is None else {"sample_weight": sample_weight}
        if get_config().get("enable_metadata_routing"):
            return process_routing(self, method, **weights, **params)
        if params:
            raise ValueError(
                f"Passing {', '.join(params)} to {method} is only supported if enable_metadata_routing=True, see "
                "sklearn.set_config"
            )
        return Bunch(splitter=Bunch(split={}), scorer=Bunch(score=weights))

    def _get_scorer(self):
        default = self.scoring is None or (isinstance(self.scoring, str) and self.scoring == "warn")
        return get_scorer("accuracy" if default else self.scoring)
