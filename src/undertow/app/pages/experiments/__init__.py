"""The page of experiments: what each is, how far it is trained, what it shows.

url             which study, how many networks, how long, as an address
progress        how far the store is with what is planned
train_process   `undertow run` as a process of its own: begun, stopped, listened to
view            what is shown of a study
page            what the cells call
notebook        the cells
"""
