"""Forty rounds of contextualbandits' LinUCB, three arms and shared contexts: linucb.json beside this file.

Its rewards are the negative losses, so its upper bounds are the lower bounds of the losses, negated.
Run with contextualbandits 0.3.30: python linucb.py > linucb.json
"""
import json
from importlib.metadata import version

import numpy as np
from contextualbandits.online import LinUCB

K, D, T = 3, 4, 40
rng = np.random.default_rng(20261126)
contexts = rng.normal(size=(T, D))
losses = (rng.uniform(size=(T, K)) < 0.5).astype(float)
agent = LinUCB(nchoices=K, alpha=0.7, lambda_=2.0, fit_intercept=False, use_float=False, random_state=1)
# Something must be fitted before a score is given: one round an arm, which both sides see.
warm = rng.normal(size=(K, D))
agent.partial_fit(warm, np.arange(K), -np.ones(K))
arms, bounds = [], []
for x, loss in zip(contexts, losses):
    scores = -agent.decision_function(x[None])[0]
    arm = int(np.argmin(scores))
    agent.partial_fit(x[None], np.array([arm]), -loss[[arm]])
    arms.append(arm)
    bounds.append(scores.tolist())
print(json.dumps({"library": f"contextualbandits {version('contextualbandits')}", "warm": warm.tolist(), "contexts": contexts.tolist(),
                  "losses": losses.tolist(), "arms": arms, "bounds": bounds}))
