//! Instance types and offerings of a region.
