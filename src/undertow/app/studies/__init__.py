"""The page of experiments: what each is, how far the store has it, training it, what it shows.

wanted    which study, how many networks, how long: read from the address, planned against the data
progress  how far the store is with what is planned
training  `undertow run` as a process of its own: begun, stopped, listened to
scene     what is seen of a study
page      what the cells call
"""
