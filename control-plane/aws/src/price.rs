//! Public prices: EC2's and the price list's, behind core's `Prices`.
