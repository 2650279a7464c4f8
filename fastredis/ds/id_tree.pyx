"""Counted B+ tree of ids. The design comment is in id_tree.pxd."""
from libc.stdint cimport INT64_MAX, int64_t, uint32_t, uint64_t
from libc.string cimport memcpy, memmove

from fastredis.ds.alloc cimport mem_alloc, mem_charge, mem_free, mem_give_up

cdef enum:
    LEAF_BYTES = 1016                   # of a leaf that is full, about
    FIRST_ROOM = 2                      # ids of the leaf that a tree begins with
    INNER_MERGE = IDT_INNER * 7 // 8    # neighbours that have so many children together become one
    INNER_FEW = IDT_INNER // 3          # one that has fewer is merged if that is possible

# One level of the way down to a leaf: the child `index` of `node`.
cdef struct Step:
    IdInner* node
    uint32_t index


cdef void idt_init(IdTree* t, Account* account, uint32_t value_size, int weight_at, int time_at) noexcept:
    t.account = account
    t.root = NULL
    t.first = t.last = NULL
    t.count = t.weight = t.leaves = t.inners = 0
    t.depth = 0
    t.value_size = value_size
    t.full = <uint32_t>((LEAF_BYTES - sizeof(IdLeaf)) // (sizeof(Id) + value_size))
    t.weight_at = weight_at
    t.time_at = time_at


# ---------------------------------------------------------------- nodes

cdef inline size_t leaf_size(const IdTree* t, uint32_t room) noexcept:
    return sizeof(IdLeaf) + room * (sizeof(Id) + t.value_size)


cdef inline char* value_at(const IdTree* t, const IdLeaf* leaf, uint32_t index) noexcept:
    return <char*>(leaf_ids(leaf) + leaf.room) + index * t.value_size


cdef inline uint64_t weight_of(const IdTree* t, const void* value) noexcept:
    return 1 if t.weight_at == IDT_NONE else (<const uint32_t*>(<const char*>value + t.weight_at))[0]


cdef inline int64_t time_of(const IdTree* t, const void* value) noexcept:
    return INT64_MAX if t.time_at == IDT_NONE else (<const int64_t*>(<const char*>value + t.time_at))[0]


cdef IdLeaf* leaf_new(IdTree* t, uint32_t room) noexcept:
    cdef IdLeaf* leaf = <IdLeaf*>mem_alloc(t.account, leaf_size(t, room))

    leaf.prev = leaf.next = NULL
    leaf.count = 0
    leaf.room = room
    t.leaves += 1
    return leaf


cdef void leaf_free(IdTree* t, IdLeaf* leaf) noexcept:
    mem_free(t.account, leaf, leaf_size(t, leaf.room))
    t.leaves -= 1


cdef IdInner* inner_new(IdTree* t) noexcept:
    cdef IdInner* node = <IdInner*>mem_alloc(t.account, sizeof(IdInner))

    node.count = 0
    t.inners += 1
    return node


cdef void inner_free(IdTree* t, IdInner* node) noexcept:
    mem_free(t.account, node, sizeof(IdInner))
    t.inners -= 1


cdef IdLeaf* leaf_grow(IdTree* t) noexcept:
    """More room for the only leaf."""
    cdef IdLeaf* old = t.first
    cdef IdLeaf* leaf = leaf_new(t, min(2 * old.room, t.full))

    memcpy(leaf_ids(leaf), leaf_ids(old), old.count * sizeof(Id))
    memcpy(value_at(t, leaf, 0), value_at(t, old, 0), old.count * t.value_size)
    leaf.count = old.count
    leaf_free(t, old)
    t.root = t.first = t.last = leaf
    return leaf


cdef void link_behind(IdTree* t, IdLeaf* leaf, IdLeaf* fresh) noexcept:
    fresh.prev = leaf
    fresh.next = leaf.next
    leaf.next = fresh
    if fresh.next is not NULL:
        fresh.next.prev = fresh
    else:
        t.last = fresh


cdef void unlink(IdTree* t, IdLeaf* leaf) noexcept:
    """Take a leaf out of the list and free it."""
    if leaf.prev is not NULL:
        leaf.prev.next = leaf.next
    else:
        t.first = leaf.next
    if leaf.next is not NULL:
        leaf.next.prev = leaf.prev
    else:
        t.last = leaf.prev
    leaf_free(t, leaf)


cdef void move_ids(IdTree* t, IdLeaf* to, IdLeaf* source, uint32_t first) noexcept:
    """Move all ids from `first` on to the end of another leaf."""
    cdef uint32_t n = source.count - first

    memcpy(leaf_ids(to) + to.count, leaf_ids(source) + first, n * sizeof(Id))
    memcpy(value_at(t, to, to.count), value_at(t, source, first), n * t.value_size)
    to.count += n
    source.count = first


cdef void children_move(IdInner* to, uint32_t at, IdInner* source, uint32_t first, uint32_t n) noexcept:
    """Copy n children with all that is kept about them; within a node the two ranges may overlap."""
    memmove(&to.ids[at], &source.ids[first], n * sizeof(Id))
    memmove(&to.weights[at], &source.weights[first], n * sizeof(uint64_t))
    memmove(&to.oldest[at], &source.oldest[first], n * sizeof(int64_t))
    memmove(&to.children[at], &source.children[first], n * sizeof(void*))


# ---------------------------------------------------------------- what is known of a child

cdef void sum_leaf(const IdTree* t, const IdLeaf* leaf, uint64_t* weight, int64_t* oldest) noexcept:
    cdef uint32_t i

    weight[0] = leaf.count
    oldest[0] = INT64_MAX
    if t.weight_at != IDT_NONE:
        weight[0] = 0
        for i in range(leaf.count):
            weight[0] += weight_of(t, value_at(t, leaf, i))
    if t.time_at != IDT_NONE:
        for i in range(leaf.count):
            oldest[0] = min(oldest[0], time_of(t, value_at(t, leaf, i)))


cdef void sum_inner(const IdInner* node, uint64_t* weight, int64_t* oldest) noexcept:
    cdef uint32_t i

    weight[0] = 0
    oldest[0] = INT64_MAX
    for i in range(node.count):
        weight[0] += node.weights[i]
        oldest[0] = min(oldest[0], node.oldest[i])


cdef void refresh(const IdTree* t, IdInner* node, uint32_t index, bint above_leaf) noexcept:
    """Note anew what is below a child."""
    if above_leaf:
        sum_leaf(t, <IdLeaf*>node.children[index], &node.weights[index], &node.oldest[index])
    else:
        sum_inner(<IdInner*>node.children[index], &node.weights[index], &node.oldest[index])


cdef void account_for(IdTree* t, Step* path, int64_t weight, int64_t came, int64_t went) noexcept:
    """Something below the end of the path has changed: so much more weight, a time that came, another that went."""
    cdef IdInner* node
    cdef uint32_t index
    cdef int level

    t.weight += weight
    for level in range(<int>t.depth - 1, -1, -1):
        node, index = path[level].node, path[level].index
        node.weights[index] += weight
        if came < node.oldest[index]:
            node.oldest[index] = came
        elif went <= node.oldest[index] and t.time_at != IDT_NONE:
            refresh(t, node, index, level == <int>t.depth - 1)


# ---------------------------------------------------------------- the way down

cdef inline uint32_t ids_below(const Id* ids, uint32_t n, Id id) noexcept:
    """How many of n ids in order are below this one."""
    cdef uint32_t low = 0, half

    while n > 0:
        half = n >> 1
        if id_less(ids[low + half], id):
            low += half + 1
            n -= half + 1
        else:
            n = half
    return low


cdef inline uint32_t child_for(const IdInner* node, Id id) noexcept:
    """The last child whose separator is not above the id; the first if there is none."""
    cdef uint32_t below

    if not id_less(id, node.ids[node.count - 1]):       # at the end, where streams grow
        return node.count - 1
    below = ids_below(&node.ids[1], node.count - 1, id)
    return below + 1 if below + 1 < node.count and id_equal(node.ids[below + 1], id) else below


cdef IdLeaf* descend(const IdTree* t, Id id, Step* path) noexcept:
    """The leaf where this id is or belongs, and the way to it. The tree is not empty."""
    cdef void* node = t.root
    cdef uint32_t level

    for level in range(t.depth):
        path[level].node = <IdInner*>node
        path[level].index = child_for(<IdInner*>node, id)
        node = path[level].node.children[path[level].index]
    return <IdLeaf*>node


cdef inline IdPlace from_index(IdLeaf* leaf, uint32_t index) noexcept:
    """A place, in the next leaf if it is behind the end of this one."""
    return IdPlace(leaf, index) if index < leaf.count else IdPlace(leaf.next, 0)


cdef IdPlace idt_from(const IdTree* t, Id id) noexcept:
    cdef Step[IDT_DEPTH] path
    cdef IdLeaf* leaf

    if t.root is NULL:
        return IdPlace(NULL, 0)
    leaf = descend(t, id, path)
    return from_index(leaf, ids_below(leaf_ids(leaf), leaf.count, id))


cdef IdPlace idt_find(const IdTree* t, Id id) noexcept:
    cdef IdPlace at = idt_from(t, id)

    return at if at.leaf is not NULL and id_equal(idt_id(at), id) else IdPlace(NULL, 0)


cdef IdPlace idt_up_to(const IdTree* t, Id id) noexcept:
    cdef IdPlace at = idt_from(t, id)

    if at.leaf is NULL:
        return idt_last(t)
    return at if id_equal(idt_id(at), id) else idt_prev(at)


cdef IdPlace oldest_below(const IdTree* t, void* node, uint32_t level, int64_t time) noexcept:
    """The first one below a node, `level` levels from the root, that is as old as that; there is one."""
    cdef uint32_t i = 0

    while level < t.depth:
        i = 0
        while (<IdInner*>node).oldest[i] > time:
            i += 1
        node = (<IdInner*>node).children[i]
        level += 1
    i = 0
    while time_of(t, value_at(t, <IdLeaf*>node, i)) > time:
        i += 1
    return IdPlace(<IdLeaf*>node, i)


cdef IdPlace idt_from_before(const IdTree* t, Id id, int64_t time) noexcept:
    cdef Step[IDT_DEPTH] path
    cdef IdInner* node
    cdef IdLeaf* leaf
    cdef uint32_t i
    cdef int level

    if t.root is NULL:
        return IdPlace(NULL, 0)
    leaf = descend(t, id, path)
    for i in range(ids_below(leaf_ids(leaf), leaf.count, id), leaf.count):
        if time_of(t, value_at(t, leaf, i)) <= time:
            return IdPlace(leaf, i)
    for level in range(<int>t.depth - 1, -1, -1):
        node = path[level].node
        for i in range(path[level].index + 1, node.count):
            if node.oldest[i] <= time:
                return oldest_below(t, node.children[i], level + 1, time)
    return IdPlace(NULL, 0)


cdef IdPlace idt_soonest(const IdTree* t) noexcept:
    cdef uint64_t weight
    cdef int64_t soonest

    if t.root is NULL:
        return IdPlace(NULL, 0)
    if t.depth:
        sum_inner(<const IdInner*>t.root, &weight, &soonest)
    else:
        sum_leaf(t, <const IdLeaf*>t.root, &weight, &soonest)
    return oldest_below(t, t.root, 0, soonest)


cdef uint64_t idt_weight_below(const IdTree* t, Id id) noexcept:
    cdef Step[IDT_DEPTH] path
    cdef IdLeaf* leaf
    cdef uint32_t level, i, n
    cdef uint64_t sum = 0

    if t.root is NULL:
        return 0
    leaf = descend(t, id, path)
    for level in range(t.depth):
        for i in range(path[level].index):
            sum += path[level].node.weights[i]
    n = ids_below(leaf_ids(leaf), leaf.count, id)
    if t.weight_at == IDT_NONE:
        return sum + n
    for i in range(n):
        sum += weight_of(t, value_at(t, leaf, i))
    return sum


# ---------------------------------------------------------------- adding

cdef void put_child(IdInner* node, uint32_t at, Id id, void* child) noexcept:
    """Give a node that is not full a child; what is below it has to be noted."""
    children_move(node, at + 1, node, at, node.count - at)
    node.ids[at] = id
    node.children[at] = child
    node.count += 1


cdef void insert_child(IdTree* t, Step* path, Id id, void* child) noexcept:
    """Put a child behind the end of the path, whose ids begin with `id`, splitting full nodes up to the root.

    What is below each node of the path is noted anew.
    """
    cdef int level = <int>t.depth - 1
    cdef bint above_leaf = True
    cdef IdInner* node
    cdef IdInner* fresh
    cdef uint32_t at, keep

    while level >= 0:
        node = path[level].node
        at = path[level].index + 1
        refresh(t, node, at - 1, above_leaf)
        if node.count < IDT_INNER:
            put_child(node, at, id, child)
            refresh(t, node, at, above_leaf)
            while level > 0:
                level -= 1
                refresh(t, path[level].node, path[level].index, False)
            return
        # At its end a node stays full.
        fresh = inner_new(t)
        keep = node.count if at == node.count else IDT_INNER // 2
        children_move(fresh, 0, node, keep, node.count - keep)
        fresh.count = node.count - keep
        node.count = keep
        if at < keep or (at == keep and fresh.count):
            put_child(node, at, id, child)
            refresh(t, node, at, above_leaf)
        else:
            put_child(fresh, at - keep, id, child)
            refresh(t, fresh, at - keep, above_leaf)
        id = fresh.ids[0]
        child = fresh
        above_leaf = False
        level -= 1
    if t.depth == IDT_DEPTH:
        mem_give_up(b"a stream has no more levels than", IDT_DEPTH)
    fresh = inner_new(t)
    fresh.ids[0] = Id(0, 0)
    fresh.children[0] = t.root
    fresh.count = 1
    put_child(fresh, 1, id, child)
    refresh(t, fresh, 0, above_leaf)
    refresh(t, fresh, 1, above_leaf)
    t.root = fresh
    t.depth += 1


cdef void put(IdTree* t, IdLeaf* leaf, uint32_t index, Id id, const void* value) noexcept:
    cdef uint32_t behind = leaf.count - index

    memmove(leaf_ids(leaf) + index + 1, leaf_ids(leaf) + index, behind * sizeof(Id))
    leaf_ids(leaf)[index] = id
    if t.value_size:
        memmove(value_at(t, leaf, index + 1), value_at(t, leaf, index), behind * t.value_size)
        memcpy(value_at(t, leaf, index), value, t.value_size)
    leaf.count += 1


cdef void make_room(IdTree* t, Step* path, IdLeaf* leaf, uint32_t index, Id id, const void* value) noexcept:
    """Add an id to a full leaf: half of it goes to a new one; if it is the last, all stays."""
    cdef IdLeaf* fresh = leaf_new(t, t.full)

    link_behind(t, leaf, fresh)
    if index < leaf.count or fresh.next is not NULL:
        move_ids(t, fresh, leaf, leaf.count // 2)
    if index > leaf.count or fresh.count == 0:
        put(t, fresh, index - leaf.count, id, value)
    else:
        put(t, leaf, index, id, value)
    insert_child(t, path, leaf_ids(fresh)[0], fresh)


cdef bint idt_add(IdTree* t, Id id, const void* value) noexcept:
    cdef Step[IDT_DEPTH] path
    cdef IdLeaf* leaf
    cdef uint32_t index

    if t.root is NULL:
        t.root = t.first = t.last = leaf_new(t, FIRST_ROOM)
    leaf = descend(t, id, path)
    index = ids_below(leaf_ids(leaf), leaf.count, id)
    if index < leaf.count and id_equal(leaf_ids(leaf)[index], id):
        return False
    t.count += 1
    if leaf.count == leaf.room and leaf.room < t.full:
        leaf = leaf_grow(t)
    if leaf.count < leaf.room:
        put(t, leaf, index, id, value)
    else:
        make_room(t, path, leaf, index, id, value)
        t.weight += weight_of(t, value)
        return True
    account_for(t, path, weight_of(t, value), time_of(t, value), INT64_MAX)
    return True


cdef void idt_set(IdTree* t, Id id, const void* value) noexcept:
    cdef Step[IDT_DEPTH] path
    cdef IdLeaf* leaf = descend(t, id, path)
    cdef char* old = value_at(t, leaf, ids_below(leaf_ids(leaf), leaf.count, id))
    cdef int64_t weight = <int64_t>weight_of(t, value) - <int64_t>weight_of(t, old)
    cdef int64_t went = time_of(t, old)

    memcpy(old, value, t.value_size)
    account_for(t, path, weight, time_of(t, value), went)


# ---------------------------------------------------------------- removing

cdef void drop_root_levels(IdTree* t) noexcept:
    """A root with one child gives way to it."""
    cdef IdInner* root

    while t.depth and (<IdInner*>t.root).count == 1:
        root = <IdInner*>t.root
        t.root = root.children[0]
        t.depth -= 1
        inner_free(t, root)


cdef void note_merged(IdInner* node, uint32_t right) noexcept:
    """A child has got all that its right neighbour had."""
    node.weights[right - 1] += node.weights[right]
    node.oldest[right - 1] = min(node.oldest[right - 1], node.oldest[right])


cdef bint merge_inner(IdTree* t, Step* path, int level) noexcept:
    """Join a node with a neighbour if that is possible: then path[level - 1] names the one that is gone."""
    cdef Step* above = &path[level - 1]
    cdef uint32_t behind = above.index + 1 if above.index + 1 < above.node.count else above.index
    cdef IdInner* left
    cdef IdInner* right

    if behind == 0:
        return False
    left = <IdInner*>above.node.children[behind - 1]
    right = <IdInner*>above.node.children[behind]
    if left.count + right.count > INNER_MERGE:
        return False
    right.ids[0] = above.node.ids[behind]
    children_move(left, left.count, right, 0, right.count)
    left.count += right.count
    note_merged(above.node, behind)
    inner_free(t, right)
    above.index = behind
    return True


cdef void remove_child(IdTree* t, Step* path) noexcept:
    """Take the child at the end of the path, which is freed, out of its node; and what follows from that above."""
    cdef int level = <int>t.depth - 1
    cdef IdInner* node
    cdef uint32_t index

    while level >= 0:
        node, index = path[level].node, path[level].index
        children_move(node, index, node, index + 1, node.count - index - 1)
        node.count -= 1
        if node.count == 0:
            inner_free(t, node)
        elif node.count >= INNER_FEW or level == 0 or not merge_inner(t, path, level):
            break
        level -= 1
    if level < 0:       # even the root is gone
        t.root = NULL
        t.depth = 0
    drop_root_levels(t)


cdef void merge_leaf(IdTree* t, Step* path, IdLeaf* leaf) noexcept:
    """Join a leaf with a neighbour below the same node if one leaf will do for both, with room to spare."""
    cdef Step* above = &path[t.depth - 1]
    cdef uint32_t behind = above.index + 1 if above.index + 1 < above.node.count else above.index
    cdef IdLeaf* left
    cdef IdLeaf* right

    if behind == 0:
        return
    left = <IdLeaf*>above.node.children[behind - 1]
    right = <IdLeaf*>above.node.children[behind]
    if left.count + right.count > t.full * 7 // 8:
        return
    move_ids(t, left, right, 0)
    note_merged(above.node, behind)
    unlink(t, right)
    above.index = behind
    remove_child(t, path)


cdef bint idt_remove(IdTree* t, Id id, void* value) noexcept:
    cdef Step[IDT_DEPTH] path
    cdef IdLeaf* leaf
    cdef uint32_t index, behind
    cdef int64_t weight, time

    if t.root is NULL:
        return False
    leaf = descend(t, id, path)
    index = ids_below(leaf_ids(leaf), leaf.count, id)
    if index == leaf.count or not id_equal(leaf_ids(leaf)[index], id):
        return False
    weight, time = weight_of(t, value_at(t, leaf, index)), time_of(t, value_at(t, leaf, index))
    if value is not NULL:
        memcpy(value, value_at(t, leaf, index), t.value_size)
    behind = leaf.count - index - 1
    memmove(leaf_ids(leaf) + index, leaf_ids(leaf) + index + 1, behind * sizeof(Id))
    memmove(value_at(t, leaf, index), value_at(t, leaf, index + 1), behind * t.value_size)
    leaf.count -= 1
    t.count -= 1
    account_for(t, path, -weight, INT64_MAX, time)
    if leaf.count == 0:
        unlink(t, leaf)
        remove_child(t, path)
    elif leaf.count < t.full // 3 and t.depth:
        merge_leaf(t, path, leaf)
    return True


# ---------------------------------------------------------------- the end

cdef void release_leaf(IdTree* t, IdLeaf* leaf, IdRelease release, void* context) noexcept:
    cdef uint32_t i

    if release is not NULL:
        for i in range(leaf.count):
            release(context, value_at(t, leaf, i))


cdef void free_inners(IdTree* t, IdInner* node, uint32_t depth) noexcept:
    cdef uint32_t i

    if depth > 1:
        for i in range(node.count):
            free_inners(t, <IdInner*>node.children[i], depth - 1)
    inner_free(t, node)


cdef uint64_t idt_drain(IdTree* t, uint64_t leaves, IdRelease release, void* context) noexcept:
    cdef IdLeaf* leaf

    while leaves and t.first is not NULL:
        leaf = t.first
        t.first = leaf.next
        release_leaf(t, leaf, release, context)
        t.count -= leaf.count
        leaf_free(t, leaf)
        leaves -= 1
    if t.first is NULL:
        t.last = NULL
        if t.depth:
            free_inners(t, <IdInner*>t.root, t.depth)
        idt_init(t, t.account, t.value_size, t.weight_at, t.time_at)
    return t.count


cdef void idt_clear(IdTree* t, IdRelease release, void* context) noexcept:
    idt_drain(t, t.leaves, release, context)


cdef size_t idt_bytes(const IdTree* t) noexcept:
    cdef size_t bytes = 0

    if t.leaves:
        bytes = t.leaves * mem_charge(t.first, leaf_size(t, t.first.room))
    if t.inners:
        bytes += t.inners * mem_charge(t.root, sizeof(IdInner))
    return bytes


# ---------------------------------------------------------------- verifying

cdef int expect(bint holds, str what) except -1:
    if not holds:
        raise AssertionError(f"tree of ids: {what}")
    return 0


cdef int verify_inner(const IdTree* t, const IdInner* node, uint32_t depth, IdLeaf** next_leaf,
                      const Id* low) except -1:
    """Walk through a subtree whose ids are not below `low`; its leaves have to come in the order of their list."""
    cdef uint64_t weight
    cdef int64_t oldest
    cdef uint32_t i
    cdef const Id* bound
    cdef const IdLeaf* leaf

    expect(0 < node.count <= IDT_INNER, f"a node with {node.count} children")
    for i in range(node.count):
        bound = &node.ids[i] if i else low
        if depth > 1:
            verify_inner(t, <const IdInner*>node.children[i], depth - 1, next_leaf, bound)
            sum_inner(<const IdInner*>node.children[i], &weight, &oldest)
        else:
            leaf = next_leaf[0]
            expect(node.children[i] == leaf, "leaves are not linked in order")
            expect(bound is NULL or not id_less(leaf_ids(leaf)[0], bound[0]), "an id below its separator")
            expect(i + 1 == node.count or id_less(leaf_ids(leaf)[leaf.count - 1], node.ids[i + 1]),
                   "an id that is not below the next separator")
            sum_leaf(t, leaf, &weight, &oldest)
            next_leaf[0] = leaf.next
        expect(node.weights[i] == weight, f"a weight of {node.weights[i]} for {weight}")
        expect(node.oldest[i] == oldest, f"an oldest time of {node.oldest[i]} for {oldest}")
    return 0


cdef int verify_leaf(const IdTree* t, const IdLeaf* leaf, const IdLeaf* before) except -1:
    cdef uint32_t i

    expect(leaf.prev == before, "leaves are not linked")
    expect(0 < leaf.count <= leaf.room <= t.full and (leaf.room == t.full or t.depth == 0),
           f"a leaf of {leaf.count} with room for {leaf.room}")
    for i in range(1, leaf.count):
        expect(id_less(leaf_ids(leaf)[i - 1], leaf_ids(leaf)[i]), "ids out of order")
    expect(before is NULL or id_less(leaf_ids(before)[before.count - 1], leaf_ids(leaf)[0]), "leaves out of order")
    return 0


cdef int idt_verify(const IdTree* t) except -1:
    """Walk through all nodes; AssertionError where order, counts, sums or links are wrong."""
    cdef IdLeaf* leaf = t.first
    cdef IdLeaf* before = NULL
    cdef uint64_t count = 0, weight = 0, leaf_weight, leaves = 0
    cdef int64_t oldest

    while leaf is not NULL:
        verify_leaf(t, leaf, before)
        sum_leaf(t, leaf, &leaf_weight, &oldest)
        count += leaf.count
        weight += leaf_weight
        leaves += 1
        before, leaf = leaf, leaf.next
    expect(t.last == before, "the last leaf is not the last")
    expect(t.count == count and t.weight == weight and t.leaves == leaves, f"{count} ids, counted as {t.count}")
    if t.depth == 0:
        return expect(t.root == t.first and t.inners == 0, "a root beside the leaf")
    leaf = t.first
    verify_inner(t, <const IdInner*>t.root, t.depth, &leaf, NULL)
    return expect(leaf is NULL, "a leaf below no node")
