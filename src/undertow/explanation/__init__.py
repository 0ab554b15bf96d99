"""A gradient's path -> where every decade went: exact arithmetic on measured numbers.

budget     which layer and which cause took how many decades
sentence   a budget in one sentence
document   its JSON document, key by key
"""
