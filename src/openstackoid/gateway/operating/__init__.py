"""The operators' API of the gateway: who used what, and agreements with other clouds; for those whom oslo.policy's rules name."""
