"""ATen's operators as layers, whichever file holds their calls.

- `calls` are plain records of calls, `schemas` torch's own words for what an operator takes;
- `lowering` is what the families of lowerings see of a call, `graph` what they become;
- `constants` computes what depends on no input, `ratios` sizes that are scaled and rounded.
"""
