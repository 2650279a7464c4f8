"""Geohashes, distances and shapes. The design comment is in geohash.pxd."""
from libc.math cimport asin, atan2, cos, fabs, sin, sqrt
from libc.stdint cimport uint32_t, uint64_t

cdef extern from "<math.h>" nogil:
    const double M_PI

cdef enum:
    STEPS = 26                          # bits of longitude and of latitude in a score

cdef double LON_MAX = 180.0
cdef double LAT_MAX = 85.05112878
cdef double EARTH_RADIUS = 6372797.560856
cdef double HALF_EQUATOR = 20037726.37  # of the map's projection: where cells begin to be halved
cdef double RADIAN = M_PI / 180.0
# Where the cells of a search lie, beside the one in the middle, in the order in which they are looked at.
cdef int[GEO_CELLS] EAST = [0, 0, 0, 1, -1, 1, -1, 1, -1]
cdef int[GEO_CELLS] NORTH = [0, 1, -1, 0, 0, 1, 1, -1, -1]

cdef double MARGIN = 1e-9               # for what is rounded

cdef struct GeoCell:
    uint32_t x                          # column, from the west
    uint32_t y                          # row, from the south
    int step                            # bits of each

cdef struct Area:                       # of a cell
    double west
    double east
    double south
    double north


cdef inline double radians(double degrees) noexcept:
    return degrees * RADIAN


cdef inline double degrees(double radians) noexcept:
    return radians / RADIAN


# ---------------------------------------------------------------- numbers

cdef inline uint64_t spread(uint64_t v) noexcept:
    """32 bits to every other one of 64."""
    v &= 0xFFFFFFFFULL
    v = (v | v << 16) & 0x0000FFFF0000FFFFULL
    v = (v | v << 8) & 0x00FF00FF00FF00FFULL
    v = (v | v << 4) & 0x0F0F0F0F0F0F0F0FULL
    v = (v | v << 2) & 0x3333333333333333ULL
    return (v | v << 1) & 0x5555555555555555ULL


cdef inline uint32_t gather(uint64_t v) noexcept:
    """Every other one of 64 bits."""
    v &= 0x5555555555555555ULL
    v = (v | v >> 1) & 0x3333333333333333ULL
    v = (v | v >> 2) & 0x0F0F0F0F0F0F0F0FULL
    v = (v | v >> 4) & 0x00FF00FF00FF00FFULL
    v = (v | v >> 8) & 0x0000FFFF0000FFFFULL
    return <uint32_t>(v | v >> 16)


cdef inline uint32_t offset_of(double v, double most, int step) noexcept:
    """Which of 2^step parts, from -most to most, v lies in. The upper end itself is beyond the last one."""
    return <uint32_t>((v + most) / (most + most) * <double>(<uint64_t>1 << step))


cdef bint geo_valid(double lon, double lat) noexcept:
    return -LON_MAX <= lon <= LON_MAX and -LAT_MAX <= lat <= LAT_MAX


cdef GeoCell cell_of(double lon, double lat, int step) noexcept:
    return GeoCell(offset_of(lon, LON_MAX, step), offset_of(lat, LAT_MAX, step), step)


cdef uint64_t geo_score(double lon, double lat) noexcept:
    return spread(offset_of(lat, LAT_MAX, STEPS)) | spread(offset_of(lon, LON_MAX, STEPS)) << 1


cdef void area_of(const GeoCell* cell, Area* area) noexcept:
    cdef double parts = <double>(<uint64_t>1 << cell.step)

    area.south = -LAT_MAX + cell.y * 1.0 / parts * (LAT_MAX + LAT_MAX)
    area.north = -LAT_MAX + <uint32_t>(cell.y + 1) * 1.0 / parts * (LAT_MAX + LAT_MAX)
    area.west = -LON_MAX + cell.x * 1.0 / parts * (LON_MAX + LON_MAX)
    area.east = -LON_MAX + <uint32_t>(cell.x + 1) * 1.0 / parts * (LON_MAX + LON_MAX)


cdef void geo_position(double score, double* lon, double* lat) noexcept:
    """The middle of the finest cell."""
    cdef uint64_t bits = <uint64_t>score
    cdef GeoCell cell = GeoCell(gather(bits >> 1), gather(bits), STEPS)
    cdef Area area

    area_of(&cell, &area)
    lon[0] = min(max((area.west + area.east) / 2, -LON_MAX), LON_MAX)
    lat[0] = min(max((area.south + area.north) / 2, -LAT_MAX), LAT_MAX)


cdef void geo_text(double lon, double lat, char* out) noexcept:
    cdef const char* letters = b"0123456789bcdefghjkmnpqrstuvwxyz"
    cdef uint64_t bits = spread(offset_of(lat, 90.0, STEPS)) | spread(offset_of(lon, LON_MAX, STEPS)) << 1
    cdef int i

    for i in range(GEO_TEXT - 1):
        out[i] = letters[bits >> (2 * STEPS - 5 * (i + 1)) & 31]
    out[GEO_TEXT - 1] = c"0"                    # its bits would go beyond the 52 that there are


# ---------------------------------------------------------------- distances and shapes

cdef inline double latitude_distance(double lat_a, double lat_b) noexcept:
    return EARTH_RADIUS * fabs(radians(lat_b) - radians(lat_a))


cdef double geo_distance(double lon_a, double lat_a, double lon_b, double lat_b) noexcept:
    """Haversine."""
    cdef double v = sin((radians(lon_b) - radians(lon_a)) / 2)
    cdef double u

    if v == 0.0:
        return latitude_distance(lat_a, lat_b)
    u = sin((radians(lat_b) - radians(lat_a)) / 2)
    return 2.0 * EARTH_RADIUS * asin(sqrt(u * u + cos(radians(lat_a)) * cos(radians(lat_b)) * v * v))


cdef void geo_centre(GeoShape* shape) noexcept:
    cdef double x = 0, y = 0, z = 0, lon, lat
    cdef uint64_t i

    for i in range(shape.count):
        lon, lat = radians(shape.corners[2 * i]), radians(shape.corners[2 * i + 1])
        x += cos(lat) * cos(lon)
        y += cos(lat) * sin(lon)
        z += sin(lat)
    x /= shape.count
    y /= shape.count
    z /= shape.count
    shape.lon = degrees(atan2(y, x))
    shape.lat = degrees(atan2(z, sqrt(x * x + y * y)))


cdef bint in_polygon(const GeoShape* shape, double lon, double lat) noexcept:
    """Whether a ray to the east crosses an odd number of sides."""
    cdef const double* a
    cdef const double* b = &shape.corners[2 * (shape.count - 1)]
    cdef bint inside = False
    cdef uint64_t i

    for i in range(shape.count):
        a = &shape.corners[2 * i]
        if (a[1] > lat) != (b[1] > lat) and lon < (b[0] - a[0]) * (lat - a[1]) / (b[1] - a[1]) + a[0]:
            inside = not inside
        b = a
    return inside


cdef void polygon_bounds(const GeoShape* shape, Area* bounds) noexcept:
    cdef uint64_t i

    bounds.west = bounds.east = shape.corners[0]
    bounds.south = bounds.north = shape.corners[1]
    for i in range(1, shape.count):
        bounds.west = min(bounds.west, shape.corners[2 * i])
        bounds.east = max(bounds.east, shape.corners[2 * i])
        bounds.south = min(bounds.south, shape.corners[2 * i + 1])
        bounds.north = max(bounds.north, shape.corners[2 * i + 1])


cdef double most_lon_of(double distance, double cosines) noexcept:
    """How far apart two meridians may be, in degrees, for places at this distance, in radians.

    By the haversine: sin(distance / 2)^2 is no less than cos(lat) * cos(other lat) * sin(difference of lon / 2)^2.
    """
    cdef double sine = sin(distance / 2) / sqrt(cosines) if distance < M_PI else 1

    return degrees(2 * asin(sine)) * (1 + MARGIN) + MARGIN if sine < 1 else 360.0


cdef void set_limits(GeoShape* shape) noexcept:
    """How far from the centre members can be, so that most others need no trigonometry."""
    cdef double up, furthest
    cdef Area bounds

    shape.cosine = cos(radians(shape.lat))
    shape.most_lon = 360.0
    if shape.kind == GEO_POLYGON:
        polygon_bounds(shape, &bounds)
        shape.most_lat = max(bounds.north - shape.lat, shape.lat - bounds.south) + MARGIN
        shape.most_lon = max(bounds.east - shape.lon, shape.lon - bounds.west) + MARGIN
        return
    up = (shape.radius if shape.kind == GEO_CIRCLE else shape.height / 2) * shape.unit / EARTH_RADIUS * (1 + MARGIN)
    furthest = fabs(radians(shape.lat)) + up
    shape.most_lat = degrees(up) + MARGIN
    shape.most_haversine = sin(up / 2) * sin(up / 2) * (1 + MARGIN) if up < M_PI else 2.0
    if furthest >= M_PI / 2:
        return
    if shape.kind == GEO_CIRCLE:
        shape.most_lon = most_lon_of(up, shape.cosine * cos(furthest))
    else:
        shape.most_lon = most_lon_of(shape.width / 2 * shape.unit / EARTH_RADIUS * (1 + MARGIN),
                                     cos(furthest) * cos(furthest))


cdef bint in_circle(const GeoShape* shape, double lon, double lat, double* distance) noexcept:
    """geo_distance() from the centre, without its last steps where it can't be enough."""
    cdef double v = sin((radians(lon) - radians(shape.lon)) / 2)
    cdef double u, haversine

    if v == 0.0:
        distance[0] = latitude_distance(shape.lat, lat)
    else:
        u = sin((radians(lat) - radians(shape.lat)) / 2)
        haversine = u * u + shape.cosine * cos(radians(lat)) * v * v
        if haversine > shape.most_haversine:
            return False
        distance[0] = 2.0 * EARTH_RADIUS * asin(sqrt(haversine))
    return distance[0] <= shape.radius * shape.unit


cdef bint geo_within(const GeoShape* shape, double lon, double lat, double* distance) noexcept:
    cdef double across = fabs(lon - shape.lon)

    if fabs(lat - shape.lat) > shape.most_lat or min(across, 360.0 - across) > shape.most_lon:
        return False
    if shape.kind == GEO_CIRCLE:
        return in_circle(shape, lon, lat, distance)
    if shape.kind == GEO_BOX:
        if latitude_distance(lat, shape.lat) > shape.height * shape.unit / 2:
            return False
        if geo_distance(lon, lat, shape.lon, lat) > shape.width * shape.unit / 2:
            return False
    elif not in_polygon(shape, lon, lat):
        return False
    distance[0] = geo_distance(shape.lon, shape.lat, lon, lat)
    return True


# ---------------------------------------------------------------- cells

cdef void bounds_of(const GeoShape* shape, Area* bounds) noexcept:
    """What a shape reaches to. Its wider side, that which is nearer to a pole, does not count at the other end."""
    cdef double height, width, up, across

    if shape.kind == GEO_POLYGON:
        polygon_bounds(shape, bounds)
        return
    height = shape.unit * (shape.radius if shape.kind == GEO_CIRCLE else shape.height / 2)
    width = shape.unit * (shape.radius if shape.kind == GEO_CIRCLE else shape.width / 2)
    up = degrees(height / EARTH_RADIUS)
    across = degrees(width / EARTH_RADIUS / cos(radians(shape.lat - up if shape.lat < 0 else shape.lat + up)))
    bounds.west, bounds.east = shape.lon - across, shape.lon + across
    bounds.south, bounds.north = shape.lat - up, shape.lat + up


cdef double reach_of(const GeoShape* shape) noexcept:
    """How far from its centre the shape goes."""
    cdef double reach = 0
    cdef uint64_t i

    if shape.kind == GEO_CIRCLE:
        return shape.radius * shape.unit
    if shape.kind == GEO_BOX:
        return sqrt((shape.width / 2) * (shape.width / 2) + (shape.height / 2) * (shape.height / 2)) * shape.unit
    for i in range(shape.count):
        reach = max(reach, geo_distance(shape.lon, shape.lat, shape.corners[2 * i], shape.corners[2 * i + 1]))
    return reach


cdef int step_for(double reach, double lat) noexcept:
    """How fine cells may be that cover as much with their neighbours, in most cases."""
    cdef int step = 1

    if reach == 0:
        return STEPS
    while reach < HALF_EQUATOR:
        reach *= 2
        step += 1
    step -= 2
    if fabs(lat) > 66:                  # towards the poles they are narrow
        step -= 1
        if fabs(lat) > 80:
            step -= 1
    return min(max(step, 1), STEPS)


cdef inline GeoCell beside(const GeoCell* cell, int east, int north) noexcept:
    """A neighbour; the grid goes round. A place that was not left stays as it is, even beyond the grid's end."""
    cdef uint32_t mask = <uint32_t>((<uint64_t>1 << cell.step) - 1)

    return GeoCell((cell.x + east) & mask if east else cell.x, (cell.y + north) & mask if north else cell.y, cell.step)


cdef bint reaches_beyond(const GeoCell* cell, const Area* bounds) noexcept:
    """Whether the neighbours of a cell don't reach as far as the bounds."""
    cdef GeoCell other
    cdef Area area

    other = beside(cell, 0, 1)
    area_of(&other, &area)
    if area.north < bounds.north:
        return True
    other = beside(cell, 0, -1)
    area_of(&other, &area)
    if area.south > bounds.south:
        return True
    other = beside(cell, 1, 0)
    area_of(&other, &area)
    if area.east < bounds.east:
        return True
    other = beside(cell, -1, 0)
    area_of(&other, &area)
    return area.west > bounds.west


cdef int cells_of(const GeoShape* shape, GeoCell* cells) noexcept:
    """The cells that cover a shape, in the order in which they are searched; how many."""
    cdef int step = step_for(reach_of(shape), shape.lat)
    cdef GeoCell centre = cell_of(shape.lon, shape.lat, step)
    cdef GeoCell other
    cdef Area bounds, area
    cdef bint narrow
    cdef int i, count = 0

    bounds_of(shape, &bounds)
    if step > 1 and reaches_beyond(&centre, &bounds):
        step -= 1
        centre = cell_of(shape.lon, shape.lat, step)
    area_of(&centre, &area)
    narrow = step >= 2                  # else cells are so wide that a neighbour may be on both sides
    for i in range(GEO_CELLS):
        if narrow and ((NORTH[i] < 0 and area.south < bounds.south) or (NORTH[i] > 0 and area.north > bounds.north)
                       or (EAST[i] < 0 and area.west < bounds.west) or (EAST[i] > 0 and area.east > bounds.east)):
            continue
        other = beside(&centre, EAST[i], NORTH[i])
        if count > 1 and other.x == cells[count - 1].x and other.y == cells[count - 1].y:
            continue
        cells[count] = other
        count += 1
    return count


cdef bint is_beyond(const GeoShape* shape, const GeoCell* cell) noexcept:
    """Whether the cell is further from the centre than members can be."""
    cdef double west, east
    cdef Area area

    area_of(cell, &area)
    if area.south - shape.lat > shape.most_lat or shape.lat - area.north > shape.most_lat:
        return True
    if area.west <= shape.lon <= area.east:
        return False
    west, east = fabs(area.west - shape.lon), fabs(area.east - shape.lon)
    return min(min(west, 360.0 - west), min(east, 360.0 - east)) > shape.most_lon


cdef int add_ranges(const GeoShape* shape, const GeoCell* cell, int finer, GeoRange* ranges, int count) noexcept:
    """Those of a cell come to the `count` that are there. It may be cut so many times; how many there are now."""
    cdef GeoCell part
    cdef uint64_t low
    cdef int i, unit = 2 * STEPS - 2 * cell.step

    if is_beyond(shape, cell):
        return count
    if finer > 0 and cell.step < STEPS:
        for i in range(4):
            part = GeoCell(cell.x << 1 | i >> 1, cell.y << 1 | i & 1, cell.step + 1)
            count = add_ranges(shape, &part, finer - 1, ranges, count)
        return count
    low = (spread(cell.y) | spread(cell.x) << 1) << unit
    if count == 0 or ranges[count - 1].high != low:
        ranges[count].low = low
        count += 1
    ranges[count - 1].high = low + (<uint64_t>1 << unit)
    return count


cdef int geo_ranges(GeoShape* shape, GeoRange* ranges) noexcept:
    cdef GeoCell[GEO_CELLS] cells
    cdef int cells_count = cells_of(shape, cells)
    cdef int i, count = 0

    set_limits(shape)
    for i in range(cells_count):
        count = add_ranges(shape, &cells[i], GEO_FINER, ranges, count)
    return count
