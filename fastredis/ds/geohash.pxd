# Geohash: positions on the earth as 52-bit numbers, and what lies near a place.
#
#   longitude, latitude --> offsets in 26 bits each --> bits interleaved, longitude first: a score of a sorted set
#
# Numbers that begin with the same bits lie in the same cell of a grid, the coarser the fewer bits. A search covers its
# shape with a cell and its neighbours, each of which is a range of scores, and looks at every position in them but in
# those quarters of a cell that are too far away. (A search of 100 in 1M members takes 7.5 us so; with sixteenths, which
# are more ranges to look for, 9.)
#
# The grid ends at +-85.05112878 degrees of latitude, as in the maps of the web; the earth is a sphere. All constants,
# the order of the nine cells, and the way each number is computed are Redis's, to the last bit: distances and the
# order of what is found are part of what clients see.
#
# Angles are degrees, lengths are metres unless it says otherwise.
# Source: https://en.wikipedia.org/wiki/Geohash, https://en.wikipedia.org/wiki/Haversine_formula

from libc.stdint cimport uint32_t, uint64_t

cdef enum:
    GEO_CELLS = 9               # a cell and its neighbours
    GEO_FINER = 1               # how often a cell is cut into four
    GEO_RANGES = GEO_CELLS << (2 * GEO_FINER)
    GEO_TEXT = 11               # characters of geo_text()

cdef enum GeoShapeKind:
    GEO_CIRCLE
    GEO_BOX
    GEO_POLYGON

cdef struct GeoShape:           # what is searched in
    GeoShapeKind kind
    double lon                  # its centre
    double lat
    double unit                 # metres of one unit of what follows
    double radius               # GEO_CIRCLE
    double width                # GEO_BOX
    double height
    const double* corners       # GEO_POLYGON: longitude, latitude of each, `count` pairs
    uint64_t count
    double most_lat             # set by geo_ranges(): what is further from the centre, in degrees, is not in it
    double most_lon
    double cosine               # of lat
    double most_haversine       # what has more is not in a circle

cdef struct GeoRange:           # of scores
    uint64_t low
    uint64_t high               # the first one that is not in it

cdef bint geo_valid(double lon, double lat) noexcept
cdef uint64_t geo_score(double lon, double lat) noexcept                    # of a valid position
cdef void geo_position(double score, double* lon, double* lat) noexcept
cdef double geo_distance(double lon_a, double lat_a, double lon_b, double lat_b) noexcept
# The geohash that the world knows, whose grid goes to 90 degrees; its last character is always 0.
cdef void geo_text(double lon, double lat, char* out) noexcept

# The centre of a polygon: the mean of its corners, as points in space.
cdef void geo_centre(GeoShape* shape) noexcept
# Whether a position lies in the shape, and how far from its centre.
cdef bint geo_within(const GeoShape* shape, double lon, double lat, double* distance) noexcept
# What is to be searched for a shape, in order; at most GEO_RANGES, how many. Comes before geo_within().
cdef int geo_ranges(GeoShape* shape, GeoRange* ranges) noexcept
