"""The rules of the control plane: what each of its paths needs by default (`openstackoid.policies`)."""

from typing import Final

from openstackoid.regions.policies import binding, contract, offer, virtual_region

RULES: Final = (*virtual_region.RULES, *offer.RULES, *contract.RULES, *binding.RULES)
